// One request to the gateway and one answer: JSON in, a parsed value or an ApiError out.
// Leaves out who is signed in (session.ts) and which paths there are (api.ts).
import { problemOf } from './contract';
import type { Parse } from './guards';

export const API_BASE = '/api/v1';

/** Longer than the slowest query the gateway allows, short enough that a dead link is noticed. */
const REQUEST_TIMEOUT_MS = 30_000;

/** A refused or failed request, with a sentence that can be shown as it is. */
export class ApiError extends Error {
  /** 0 when the gateway could not be reached at all. */
  readonly status: number;
  /** What Retry-After asked for. */
  readonly retryAfterS: number | null;
  /** Which field of the request was wrong. */
  readonly field: string | null;

  constructor(status: number, sentence: string, retryAfterS: number | null = null, field: string | null = null) {
    super(sentence);
    this.name = 'ApiError';
    this.status = status;
    this.retryAfterS = retryAfterS;
    this.field = field;
  }
}

export interface Call {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  path: string;
  body?: unknown;
  token?: string;
  /** Where an answer is due sooner than usual. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

export async function call<T>(request: Call, parse: Parse<T>): Promise<T> {
  const response = await send(request, 'application/json');
  const body = await readBody(response);
  if (!response.ok) throw refusal(response, body);
  return parse(body);
}

/** The answer as it came, for a file to be kept. */
export async function callFile(request: Call): Promise<Blob> {
  const response = await send(request, '*/*');
  if (!response.ok) throw refusal(response, await readBody(response));
  return response.blob();
}

async function send(request: Call, accept: string): Promise<Response> {
  const timeout = AbortSignal.timeout(request.timeoutMs ?? REQUEST_TIMEOUT_MS);
  const signal = request.signal ? AbortSignal.any([request.signal, timeout]) : timeout;
  const headers: Record<string, string> = { Accept: accept };
  if (request.body !== undefined) headers['Content-Type'] = 'application/json';
  if (request.token !== undefined) headers['Authorization'] = `Bearer ${request.token}`;
  try {
    return await fetch(API_BASE + request.path, {
      method: request.method,
      headers,
      body: request.body === undefined ? null : JSON.stringify(request.body),
      credentials: 'same-origin',
      signal,
    });
  } catch (error) {
    // The caller gave up: that is not a failure of the gateway.
    if (request.signal?.aborted) throw error;
    const late = timeout.aborted;
    throw new ApiError(0, late ? 'The gateway took too long to answer.' : 'The gateway cannot be reached.');
  }
}

async function readBody(response: Response): Promise<unknown> {
  const text = await response.text();
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function refusal(response: Response, body: unknown): ApiError {
  const problem = problemOf(body);
  const sentence = problem?.detail ?? `The gateway answered ${response.status}.`;
  const retryAfter = Number(response.headers.get('Retry-After') ?? Number.NaN);
  return new ApiError(response.status, sentence, Number.isFinite(retryAfter) ? retryAfter : null, problem?.field ?? null);
}
