// Parses YAML, and remembers the documents it parsed last: the same front matter is read when a session starts, when it is found where its sessions
// stand, and when what was written there is looked at again. Parsing takes milliseconds, which others wait for.
import { type Document, type ParsedNode, parseDocument } from 'yaml';

export type YamlDocument = Document.Parsed<ParsedNode, true>;

const MOST = 16;
const parsed = new Map<string, YamlDocument>();

/** The document of this text, to be read and never changed. Its errors are in it; throws where the text nests so deep that the parser gives up. */
export function yamlDocument(source: string): YamlDocument {
  const document = parsed.get(source) ?? parseDocument(source, { schema: 'core', logLevel: 'silent' });
  parsed.delete(source);
  parsed.set(source, document);
  const [oldest] = parsed.keys();
  if (oldest !== undefined && parsed.size > MOST) parsed.delete(oldest);
  return document;
}
