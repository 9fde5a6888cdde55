// The form of the dead-man's switch, and when its address was last requested and last answered.
import { useState } from 'react';
import type { Deadman } from '../io/contract-channels';
import { ago, moment } from '../logic/format';
import { durationText } from '../logic/quantities';
import { FormField, type Wrong } from './form-parts';
import { CheckIcon, WarningIcon } from './icons';

export interface DeadmanFormProps {
  deadman: Deadman;
  now: number;
  mayEdit: boolean;
  busy: boolean;
  wrong: Wrong | null;
  /** What became of the last saving. */
  words: string;
  onSave(url: string, interval: string): void;
}

export function DeadmanForm({ deadman, now, mayEdit, busy, wrong, words, onSave }: DeadmanFormProps) {
  const [url, setUrl] = useState(deadman.url ?? '');
  const [interval, setInterval] = useState(durationText(deadman.interval_s));
  const changed = url.trim() !== (deadman.url ?? '') || interval !== durationText(deadman.interval_s);
  return (
    <form
      className="card settings-form"
      aria-label="Dead-man’s switch"
      onSubmit={(event) => {
        event.preventDefault();
        onSave(url, interval);
      }}
    >
      <div>
        <h3>Dead-man’s switch</h3>
        <p className="settings-intro">Who tells you when Muster itself is down? While messages arrive, are judged and stored, Muster requests this address (GET). A monitoring service that expects these requests alerts you when they stop.</p>
      </div>
      <State deadman={deadman} now={now} />
      <div className="form-row">
        <FormField label="Address" name="url" wrong={wrong} className="form-wide" hint="empty: off">
          {(aria) => <input {...aria} value={url} disabled={!mayEdit} placeholder="https://hc.example.org/ping/…" spellCheck={false} autoCapitalize="off" onChange={(event) => setUrl(event.target.value)} />}
        </FormField>
        <FormField label="Every" name="interval_s" wrong={wrong} hint="30 s to 1 h">
          {(aria) => <input {...aria} value={interval} disabled={!mayEdit} onChange={(event) => setInterval(event.target.value)} />}
        </FormField>
      </div>
      {mayEdit && (
        <div className="settings-end">
          <button type="submit" className="button button-primary" disabled={busy || !changed}>
            {busy ? 'Saving…' : 'Save'}
          </button>
          {words !== '' && !changed && (
            <p className="settings-words good" role="status">
              <CheckIcon />
              {words}
            </p>
          )}
          {wrong && (
            <p className="settings-words bad" role="alert">
              <WarningIcon />
              {wrong.field === 'url' || wrong.field === 'interval_s' ? 'One field is not right: see the marked one.' : wrong.words}
            </p>
          )}
        </div>
      )}
    </form>
  );
}

function State({ deadman: { url, last_at, last_ok_at, last_error }, now }: { deadman: Deadman; now: number }) {
  if (url === null) return <p className="quiet">Off: no address is set.</p>;
  if (last_error !== null) {
    return (
      <p className="settings-words bad" role="alert">
        <WarningIcon />
        The last request failed: {last_error}. {last_ok_at === null ? 'It has not answered yet.' : `Last answered ${ago(last_ok_at, now)}.`}
      </p>
    );
  }
  if (last_at === null) return <p className="quiet">Not requested yet.</p>;
  return (
    <p className="settings-words good" title={moment(last_ok_at ?? last_at)}>
      <CheckIcon />
      Last answered {ago(last_ok_at ?? last_at, now)}.
    </p>
  );
}
