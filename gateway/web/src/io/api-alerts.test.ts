// What is asked for of alerting, where a list could be longer than one answer.
import { afterEach, expect, it, vi } from 'vitest';
import { silence } from '../logic/testing-alerts';
import { AlertApi } from './api-alerts';
import { Session } from './session';

/** Signed in, with one answer to everything. */
function answering(body: unknown) {
  const fetched = vi.fn(async (_path: string) => new Response(JSON.stringify(body)));
  vi.stubGlobal('fetch', fetched);
  const session = new Session();
  vi.spyOn(session, 'freshToken').mockResolvedValue('token');
  return { api: new AlertApi(session), asked: () => fetched.mock.calls.map(([path]) => path) };
}

afterEach(() => {
  vi.unstubAllGlobals();
});

it('asks for silences that hold apart from those that ended, which come page by page', async () => {
  const page = { items: [silence()], next: 'a' };
  const { api, asked } = answering(page);
  expect([await api.silences(), await api.endedSilences(null), await api.endedSilences('a')]).toEqual([page, page, page]);
  expect(asked()).toEqual(['/api/v1/silences?state=active&limit=1000', '/api/v1/silences?state=ended&limit=50', '/api/v1/silences?state=ended&limit=50&cursor=a']);
});

it('asks for the alerts of a host by its name', async () => {
  const { api, asked } = answering({ items: [], next: null, counts: { open: 900, acknowledged: 0, critical: 0, high: 0, medium: 0, low: 900 } });
  await api.activeAlerts({ host: 'web-1' });
  expect(asked()).toEqual(['/api/v1/alerts?status=active&limit=500&host=web-1']);
});
