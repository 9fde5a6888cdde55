// A question before something that cannot be undone. It stands over the page, keeps the focus, and
// Escape means no.
import { useEffect, useId, useRef, type ReactNode } from 'react';

export interface ConfirmDialogProps {
  title: string;
  /** What the button does, in a word or two. */
  action: string;
  tone: 'plain' | 'bad';
  children: ReactNode;
  onConfirm(): void;
  onClose(): void;
}

export function ConfirmDialog({ title, action, tone, children, onConfirm, onClose }: ConfirmDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const opened = dialog.current;
    opened?.showModal();
    return () => opened?.close();
  }, []);
  return (
    <dialog ref={dialog} className="confirm" aria-labelledby={heading} onCancel={onClose} data-testid="confirm">
      <h2 id={heading}>{title}</h2>
      <div className="confirm-words">{children}</div>
      <div className="confirm-end">
        <button type="button" className="button" onClick={onClose}>
          Cancel
        </button>
        <button type="button" className={`button ${tone === 'bad' ? 'button-bad' : 'button-primary'}`} onClick={onConfirm}>
          {action}
        </button>
      </div>
    </dialog>
  );
}
