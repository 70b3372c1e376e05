// Where the programs are that this one starts: next to the running file, which is dist/ once it is built.
import path from 'node:path';

export interface Programs {
  /** The Node.js that runs them. */
  readonly node: string;
  readonly hub: string;
  readonly keeper: string;
  readonly supervise: string;
  readonly hook: string;
  readonly demoAgent: string;
}

/** The programs in `folder`. */
export function programsIn(folder: string = import.meta.dirname): Programs {
  const at = (name: string) => path.join(folder, name);
  return {
    node: process.execPath,
    hub: at('hub.cjs'),
    keeper: at('keeper.sh'),
    supervise: at('supervise.sh'),
    hook: at('hook.sh'),
    demoAgent: at('demo-agent.mjs'),
  };
}
