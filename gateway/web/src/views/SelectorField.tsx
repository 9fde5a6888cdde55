// The field for a selector, which says how many hosts it means while it is typed.
import type { Host } from '../io/contract';
import { selectedNow } from '../logic/selector';
import { FormField, type Wrong } from './form-parts';
import { WarningIcon } from './icons';

export interface SelectorFieldProps {
  selector: string;
  hosts: readonly Host[];
  wrong: Wrong | null;
  /** How one may look. */
  example: string;
  /** What comes of it where no host is meant. */
  ofNobody: string;
  onChange(selector: string): void;
}

export function SelectorField({ selector, hosts, wrong, example, ofNobody, onChange }: SelectorFieldProps) {
  const { words, isNobody } = selectedNow(selector, hosts);
  const hint = isNobody ? (
    <span className="field-warning" role="status" data-testid="selects-nobody">
      <WarningIcon />
      {words} {ofNobody}
    </span>
  ) : (
    `${words} Empty: all; ${example}`
  );
  return (
    <FormField label="Hosts" name="selector" wrong={wrong} className="form-wide" hint={hint}>
      {(aria) => <input {...aria} value={selector} placeholder="all hosts" spellCheck={false} autoCapitalize="off" onChange={(event) => onChange(event.target.value)} />}
    </FormField>
  );
}

/** Beside what was saved and is about no host. */
export function NobodyMark({ words }: { words: string }) {
  return (
    <span className="alert-mark nobody-mark" title={words}>
      no hosts
    </span>
  );
}
