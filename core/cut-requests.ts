// What sessions ask, cut so that an answer keeps its size: agents may ask a lot, at length, and much at once.
import type { RequestView } from './talk-views.ts';

/** What a request takes in JSON besides its texts, and the least that is shown of those. */
const REQUEST_ROOM = 300;
const LEAST_TEXT = 80;
const MOST_SHOWN = 1500;

interface Asking {
  readonly requests?: readonly RequestView[] | undefined;
  readonly answered?: readonly RequestView[] | undefined;
  readonly shows?: string | undefined;
}

/** With all that it asks and asked, or what its terminal shows, in about so many characters of JSON. */
export function withCutRequests<View extends Asking>(view: View, room: number): View {
  const { requests = [], answered = [] } = view;
  const each = Math.max(LEAST_TEXT, Math.floor(room / Math.max(1, requests.length + answered.length)) - REQUEST_ROOM);
  return {
    ...view,
    ...(requests.length > 0 && { requests: requests.map((request) => cutRequest(request, each)) }),
    ...(view.shows !== undefined && { shows: cutText(view.shows, Math.max(LEAST_TEXT, Math.min(MOST_SHOWN, room))) }),
    ...(answered.length > 0 && { answered: answered.map((request) => cutRequest(request, each)) }),
  };
}

/** The request with what it asks, and the arguments of a tool in what that leaves, cut to so many characters of JSON. */
export function cutRequest(request: RequestView, characters: number): RequestView {
  const text = cutText(request.text, characters);
  const left = Math.max(LEAST_TEXT, characters - text.length);
  return { ...request, text, ...(request.input !== undefined && { input: cutText(request.input, left) }) };
}

function cutText(text: string, characters: number): string {
  if (JSON.stringify(text).length <= characters) return text;
  let length = Math.min(text.length, characters);
  while (JSON.stringify(text.slice(0, length)).length > characters) length = Math.floor(length * 0.8);
  return `${text.slice(0, length).replace(/\p{Surrogate}$/u, '')}… (${text.length} characters)`;
}
