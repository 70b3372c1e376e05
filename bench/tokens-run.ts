// Prints the token report.
import { tokenText } from './tokens.ts';

process.stdout.write(`${tokenText()}\n`);
