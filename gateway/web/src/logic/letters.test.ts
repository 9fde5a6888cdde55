// What is asked for among the dead letters, how their bodies are shown, and the words for what was done.
import { describe, expect, it } from 'vitest';
import { bodyText, failedOneWords, failedWords, filterWords, firstView, hexDump, isFiltered, letterFilterFrom, letterQueryOf, lettersWords, mayGoOn, NO_LETTER_FILTER, NOTHING_DONE, outcomeWords, payloadOf, refusals, SHOWN_BYTES_MAX, sizeWords, withAnswer } from './letters';

const bytesOf = (text: string) => new TextEncoder().encode(text);

describe('the filter', () => {
  it('survives the address', () => {
    const filter = { stream: 'logs', reason: 'NaN & more', host: 'web-3' };
    expect(letterFilterFrom(new URLSearchParams(String(letterQueryOf(filter))))).toEqual(filter);
    expect(letterFilterFrom(new URLSearchParams('stream=poems&host=Bad%20Host'))).toEqual(NO_LETTER_FILTER);
    expect([NO_LETTER_FILTER, filter].map(isFiltered)).toEqual([false, true]);
  });

  it('is said as part of a sentence', () => {
    expect(filterWords({ stream: 'logs', host: 'web-3', reason: 'NaN' })).toBe(' of logs from web-3 whose reason has “NaN”');
    expect(filterWords(NO_LETTER_FILTER)).toBe('');
  });
});

describe('the outcome of many', () => {
  it('grows, and says what stays and why', () => {
    const first = withAnswer(NOTHING_DONE, { done: 500, refused: [{ id: 7, reason: 'cut' }] });
    const all = withAnswer(first, { done: 1, refused: [{ id: 5, reason: 'no subject' }, { id: 4, reason: 'no subject' }] });
    expect(outcomeWords('discard', all)).toBe('501 dead letters discarded, 3 refused.');
    expect(refusals(all)).toEqual([['no subject', 2], ['cut', 1]]);
    expect(outcomeWords('retry', { done: 1, refused: [] })).toBe('1 dead letter published again. What still cannot be stored comes back here.');
    expect(outcomeWords('retry', NOTHING_DONE)).toBe('0 dead letters published again.');
  });

  it('has a number, or at least one', () => {
    expect([lettersWords(1), lettersWords(2), lettersWords(2000, true)]).toEqual(['1 dead letter', '2 dead letters', 'at least 2,000 dead letters']);
  });
});

describe('what failed', () => {
  const lost = new Error('the gateway cannot be reached');

  it('may have been done, unless the gateway refused it', () => {
    expect([0, 500, 503, 200].map(mayGoOn)).toEqual([true, true, true, true]);
    expect([401, 403, 404, 409, 422, 429].some(mayGoOn)).toBe(false);
  });

  it('is not said to have left the others as they were while the gateway may go on', () => {
    expect(failedWords(lost, true)).toBe('Then it failed: The gateway cannot be reached. What was begun is not counted here and may still be finished, for up to 15 s: the list shows what is left.');
    expect(failedWords(new Error('your role is viewer'), false)).toBe('Then it failed: Your role is viewer. The others are as they were.');
    expect(failedOneWords(lost, true)).toContain('It may have been done all the same');
    expect(failedOneWords(lost, false)).toBe('The gateway cannot be reached.');
  });
});

describe('a body', () => {
  it('is shown the way that tells most of it', () => {
    expect(firstView({ v: 1 }, bytesOf('x'))).toBe('decoded');
    expect(firstView(null, bytesOf('{"v": 1,\n'))).toBe('text');
    expect(firstView(null, new Uint8Array([0xff, 0xfe]))).toBe('hex');
    expect(firstView(null, new Uint8Array([0, 65]))).toBe('hex');
  });

  it('is dumped in rows of sixteen bytes', () => {
    expect(hexDump(bytesOf('0123456789abcdefG\n'))).toBe(
      '000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  0123456789abcdef\n' +
        `000010  47 0a${' '.repeat(18)}  ${' '.repeat(23)}  G.`,
    );
    expect(hexDump(new Uint8Array())).toBe('');
  });

  it('is cut where it is too large for a page', () => {
    const large = new Uint8Array(SHOWN_BYTES_MAX + 1).fill(65);
    expect(bodyText('text', null, large)).toEqual({ text: 'A'.repeat(SHOWN_BYTES_MAX), isCut: true });
    expect(bodyText('hex', null, new Uint8Array([1])).isCut).toBe(false);
    expect(bodyText('decoded', { v: 7 }, large)).toEqual({ text: '{\n  "v": 7\n}', isCut: false });
    expect([...payloadOf(btoa('\x00\xffA'))]).toEqual([0, 255, 65]);
  });

  it('says how much of it was kept', () => {
    expect(sizeWords({ size: 2048, kept: 2048 })).toBe('2 KiB');
    expect(sizeWords({ size: 2048, kept: 1024 })).toBe('2 KiB, the first 1 KiB kept');
  });
});
