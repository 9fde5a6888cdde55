// What a ticket says: its title, description and advice, with fields that are put in where the cursor
// is.
import { useRef, useState } from 'react';
import { FIELD_WORDS, withField, type RuleDraft } from '../logic/rule-form';
import { FormField, type Wrong } from './form-parts';

export interface TemplateFieldsProps {
  draft: RuleDraft;
  wrong: Wrong | null;
  /** Names of the fields; those that are known here where the gateway has not said. */
  fields: readonly string[];
  onChange(changes: Partial<RuleDraft>): void;
}

type TextKey = 'title' | 'description' | 'recommendation';

const TEXTS: readonly (readonly [key: TextKey, words: string, rows: number])[] = [
  ['title', 'Title', 1],
  ['description', 'Description', 4],
  ['recommendation', 'What to do', 4],
];

export function TemplateFields({ draft, wrong, fields, onChange }: TemplateFieldsProps) {
  const [key, setKey] = useState<TextKey>('title');
  const places = useRef<Partial<Record<TextKey, HTMLInputElement | HTMLTextAreaElement | null>>>({});
  const put = (field: string) => {
    const place = places.current[key];
    const text = draft[key];
    const { text: next, cursor } = withField(text, field, place?.selectionStart ?? text.length, place?.selectionEnd ?? text.length);
    onChange({ [key]: next });
    // The new text is there only after this was drawn.
    requestAnimationFrame(() => {
      place?.focus();
      place?.setSelectionRange(cursor, cursor);
    });
  };
  const names = fields.length > 0 ? fields : Object.keys(FIELD_WORDS);
  return (
    <fieldset className="form-part">
      <legend>Alert text</legend>
      {TEXTS.map(([one, words, rows]) => (
        <FormField key={one} label={words} name={one} wrong={wrong} className="form-full">
          {(aria) => {
            const common = { ...aria, value: draft[one], onFocus: () => setKey(one) };
            return rows === 1 ? (
              <input {...common} ref={(place) => void (places.current[one] = place)} onChange={(event) => onChange({ [one]: event.target.value })} />
            ) : (
              <textarea {...common} rows={rows} ref={(place) => void (places.current[one] = place)} onChange={(event) => onChange({ [one]: event.target.value })} />
            );
          }}
        </FormField>
      ))}
      <div className="field-chips" role="group" aria-label={`Put a field into the ${TEXTS.find(([one]) => one === key)?.[1].toLowerCase()}`}>
        <span className="settings-hint">Insert:</span>
        {names.map((field) => (
          <button key={field} type="button" className="chip" title={FIELD_WORDS[field] ?? field} onClick={() => put(field)}>
            {field}
          </button>
        ))}
      </div>
    </fieldset>
  );
}
