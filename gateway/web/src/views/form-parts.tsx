// Parts of forms: a field with its label, its hint and what is wrong with it; and a switch.
import { useId, type ReactNode } from 'react';

/** What is wrong, and with which field. */
export interface Wrong {
  field: string | null;
  words: string;
}

export interface Aria {
  'aria-invalid': boolean;
  'aria-describedby': string;
}

export interface FormFieldProps {
  label: string;
  /** Its name in the request; an error of something within it is its error. */
  name: string;
  wrong: Wrong | null;
  hint?: ReactNode;
  className?: string;
  children(aria: Aria): ReactNode;
}

export function isAbout(wrong: Wrong | null, name: string): boolean {
  const field = wrong?.field;
  return field === name || (field?.startsWith(`${name}[`) ?? false) || (field?.startsWith(`${name}.`) ?? false);
}

export function FormField({ label, name, wrong, hint, className = '', children }: FormFieldProps) {
  const described = useId();
  const bad = isAbout(wrong, name);
  return (
    <div className={`form-field ${className}`} data-field={name}>
      <label>
        <span className="form-label">{label}</span>
        {children({ 'aria-invalid': bad, 'aria-describedby': described })}
      </label>
      <span id={described} className={bad ? 'field-error' : 'settings-hint'} role={bad ? 'alert' : undefined}>
        {bad ? wrong?.words : hint}
      </span>
    </div>
  );
}

export interface SwitchProps {
  label: string;
  on: boolean;
  disabled?: boolean;
  /** The label is for those who cannot see where it stands. */
  quiet?: boolean;
  onChange(on: boolean): void;
}

export function Switch({ label, on, disabled = false, quiet = false, onChange }: SwitchProps) {
  return (
    <button type="button" role="switch" className="switch" aria-checked={on} aria-label={label} title={quiet ? label : undefined} disabled={disabled} onClick={() => onChange(!on)}>
      <span className="switch-track" aria-hidden="true">
        <span className="switch-knob" />
      </span>
      {!quiet && <span>{label}</span>}
    </button>
  );
}
