// Text that is told after a pause in typing, and follows when it is changed elsewhere.
import { useEffect, useRef, useState } from 'react';

/** A pause in typing: each letter would be a search of its own. */
const TYPING_MS = 300;

export function useTyped(told: string, tell: (text: string) => unknown): [string, (text: string) => void] {
  const [text, setText] = useState(told);
  const [heard, setHeard] = useState(told);
  if (heard !== told) {
    setHeard(told);
    setText(told);
  }
  // The page may be drawn anew each second: that must not begin the pause anew.
  const latest = useRef(tell);
  useEffect(() => {
    latest.current = tell;
  });
  useEffect(() => {
    const wanted = text.trim();
    if (wanted === told) return;
    const timer = setTimeout(() => latest.current(wanted), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, told]);
  return [text, setText];
}
