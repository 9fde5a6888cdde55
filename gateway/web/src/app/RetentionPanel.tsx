// How long data is kept, to be changed: the form, what a change would remove, and the buttons of each
// step. For administrators; the gateway refuses it to others.
import type { Retention } from '../io/contract-storage';
import { losing } from '../logic/retention-form';
import { PlanView } from '../views/PlanView';
import { RetentionForm } from '../views/RetentionForm';
import { CheckIcon, WarningIcon } from '../views/icons';
import { useRetention, type Outcome, type RetentionWork, type Tried } from './use-retention';

export function RetentionPanel({ stored, onSaved }: { stored: Retention; onSaved(saved: Retention): void }) {
  const work = useRetention(stored, onSaved);
  const { saved, draft, tried, outcome } = work;
  return (
    <form
      className="card settings-form"
      aria-label="How long data is kept"
      onSubmit={(event) => {
        event.preventDefault();
        work.tryOut();
      }}
    >
      <h3>How long data is kept</h3>
      <RetentionForm stored={saved} draft={draft} wrong={outcome?.field ?? null} onDraft={work.edit} />
      {tried && <PlanView plan={tried.plan} />}
      <div className="settings-end">
        {tried ? <Confirm work={work} tried={tried} /> : <Ask work={work} />}
        {outcome && <Words outcome={outcome} />}
        {outcome?.outdated && <Outdated work={work} />}
      </div>
    </form>
  );
}

function Ask({ work: { busy, changed, takeBack } }: { work: RetentionWork }) {
  return (
    <>
      <button type="submit" className="button button-primary" disabled={busy || !changed}>
        {busy ? 'Asking…' : 'See what this removes'}
      </button>
      {changed && (
        <button type="button" className="button" disabled={busy} onClick={takeBack}>
          Take back
        </button>
      )}
    </>
  );
}

function Confirm({ work: { busy, save, goOn }, tried }: { work: RetentionWork; tried: Tried }) {
  const destroys = losing(tried.plan).length > 0;
  return (
    <>
      <button type="button" className={destroys ? 'button button-danger' : 'button button-primary'} disabled={busy} onClick={() => save(tried)}>
        {destroys ? 'Save and remove this' : 'Save'}
      </button>
      <button type="button" className="button" disabled={busy} onClick={goOn}>
        Go on editing
      </button>
    </>
  );
}

function Words({ outcome }: { outcome: Outcome }) {
  return (
    <p className={outcome.good ? 'settings-words good' : 'settings-words bad'} role={outcome.good ? 'status' : 'alert'} data-testid="retention-outcome">
      {outcome.good ? <CheckIcon /> : <WarningIcon />}
      {outcome.words}
    </p>
  );
}

function Outdated({ work: { busy, readAnew } }: { work: RetentionWork }) {
  return (
    <>
      <button type="button" className="button" disabled={busy} onClick={readAnew}>
        Read the rules anew
      </button>
      <span className="settings-hint">Your changes are lost with that.</span>
    </>
  );
}
