// Where the running stack is, read from the file that started it left behind.
import { readFileSync } from 'node:fs';

export interface Stack {
  gateway_url: string;
  admin: { username: string; password: string };
  host_id: string;
}

function read(): Stack {
  const path = process.env['MUSTER_STACK_JSON'];
  if (!path) throw new Error('MUSTER_STACK_JSON must name the stack.json of a running stack');
  const found = JSON.parse(readFileSync(path, 'utf8')) as Partial<Stack>;
  for (const field of ['gateway_url', 'admin', 'host_id'] as const) {
    if (!found[field]) throw new Error(`${path} has no ${field}`);
  }
  return found as Stack;
}

export const stack = read();
