// The sign-in card: brand, two fields, and the server's sentence when it refuses.
// Leaves out the request itself.
import { useState, type FormEvent } from 'react';
import { Logo } from './icons';

export interface SignInProps {
  busy: boolean;
  /** What the server said about the last try. */
  refusal: string | null;
  /** Too many tries: seconds until the next one may be made. */
  waitS: number;
  onSubmit(username: string, password: string): void;
}

export function SignIn({ busy, refusal, waitS, onSubmit }: SignInProps) {
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSubmit(username, password);
  };
  return (
    <main className="sign-in">
      <div className="sign-in-brand">
        <Logo size={44} />
        <h1>Muster</h1>
        <p>Every host of your fleet, live.</p>
      </div>
      <form className="card sign-in-card" onSubmit={submit} aria-label="Sign in">
        <label>
          Username
          <input name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} required autoFocus value={username} onChange={(event) => setUsername(event.target.value)} />
        </label>
        <label>
          Password
          <input name="password" type="password" autoComplete="current-password" required value={password} onChange={(event) => setPassword(event.target.value)} />
        </label>
        <p className="sign-in-refusal" role="alert" data-testid="sign-in-refusal">
          {refusal}
          {waitS > 0 && <span>Try again in {waitS} s.</span>}
        </p>
        <button className="button button-primary" type="submit" disabled={busy || waitS > 0}>
          {busy ? 'Signing in…' : 'Sign in'}
        </button>
      </form>
    </main>
  );
}
