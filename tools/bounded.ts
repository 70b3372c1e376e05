// Keeps answers small enough for a model: an answer has about 10,000 characters at most unless its caller asks for more.
import { withCutRequests } from '../core/cut-requests.ts';
import type { SessionView } from '../core/views.ts';

/** Room for what an answer is about, in characters of JSON. */
const ROOM = 8500;
/** What a session takes without its result. */
const SESSION_ROOM = 550;
const LEAST_RESULT = 200;

/** The first rows that fit, at least one. */
export function fitting<Row>(rows: readonly Row[]): readonly Row[] {
  let used = 0;
  const most = rows.findIndex((row, at) => {
    used += JSON.stringify(row).length + 1;
    return at > 0 && used > ROOM;
  });
  return most < 0 ? rows : rows.slice(0, most);
}

/** The session with its texts cut to its share, when it is one of `count` in an answer; the resource of the session holds its result whole. */
export function withShare(view: SessionView, count: number): SessionView {
  const share = Math.max(LEAST_RESULT, Math.floor(ROOM / count) - SESSION_ROOM);
  const cut = withCutRequests(view, share);
  const { result } = view;
  if (result === undefined || result.length <= share) return cut;
  return { ...cut, result: `${result.slice(0, share)}… (${result.length} characters, whole in ${view.uris.session})` };
}
