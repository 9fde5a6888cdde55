// Carries a name and a password to the session, and a refusal back to the form.
import { useEffect, useState } from 'react';
import { ApiError } from '../io/http';
import { SignIn } from '../views/SignIn';
import { useTitle } from './hooks';
import { useServices } from './services';

/** How long to wait where the server refuses too many tries without saying. */
const WAIT_S = 30;

export function SignInPage() {
  useTitle('Sign in');
  const { session } = useServices();
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<string | null>(null);
  const [waitS, setWaitS] = useState(0);

  useEffect(() => {
    if (waitS === 0) return;
    const timer = setTimeout(() => setWaitS(waitS - 1), 1000);
    return () => clearTimeout(timer);
  }, [waitS]);

  const submit = async (username: string, password: string): Promise<void> => {
    setBusy(true);
    setRefusal(null);
    try {
      await session.signIn(username, password);
    } catch (error) {
      setRefusal(error instanceof Error ? error.message : String(error));
      if (error instanceof ApiError && error.status === 429) setWaitS(error.retryAfterS ?? WAIT_S);
    } finally {
      setBusy(false);
    }
  };

  return <SignIn busy={busy} refusal={refusal} waitS={waitS} onSubmit={(name, word) => void submit(name, word)} />;
}
