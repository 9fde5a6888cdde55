// What is sent where somebody else may have changed the same meanwhile, and what a refusal becomes.
import { afterEach, expect, it, vi } from 'vitest';
import { Api } from './api';
import { ApiError } from './http';
import { Session } from './session';

const RULES = [{ scope: 'raw', label: null, keep_days: 7 }];

/** An API that is signed in and has one answer to everything. */
function answering(status: number, body: unknown) {
  const fetched = vi.fn(async (_path: string, _init: { method: string; body: string }) => new Response(JSON.stringify(body), { status }));
  vi.stubGlobal('fetch', fetched);
  const session = new Session();
  vi.spyOn(session, 'freshToken').mockResolvedValue('token');
  return { api: new Api(session), fetched };
}

afterEach(() => {
  vi.unstubAllGlobals();
});

it('sets retention rules only instead of those that were read', async () => {
  const stored = { version: 8, updated_at: 1, updated_by: 'ada', groups: [], rules: RULES };
  const { api, fetched } = answering(200, stored);
  expect(await api.setRetention(RULES, 7)).toEqual(stored);
  const [path, { method, body }] = fetched.mock.calls[0] ?? ['', { method: '', body: '{}' }];
  expect([path, method, JSON.parse(body)]).toEqual(['/api/v1/retention', 'PUT', { rules: RULES, version: 7 }]);
});

it('says in the words of the gateway that others were set meanwhile', async () => {
  const { api } = answering(409, { title: 'Conflict', status: 409, detail: 'version is 8 by now' });
  const refusal = await api.setRetention(RULES, 7).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(ApiError);
  expect(refusal).toMatchObject({ status: 409, message: 'version is 8 by now' });
});
