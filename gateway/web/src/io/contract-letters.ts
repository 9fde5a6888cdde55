// The messages that could not be stored, as the gateway tells of them: types and the parsers beside
// them. Leaves out fetching, and what is shown of them.
import { anyObject, int, list, mapOf, nullable, shape, str, type Parse } from './guards';

/** A message that could not be stored. */
export interface DeadLetter {
  id: number;
  at: number;
  stream: string;
  subject: string;
  host: string | null;
  message_id: string | null;
  reason: string;
  content_type: string | null;
  /** Bytes it had, and how many of them were kept. */
  size: number;
  kept: number;
  retries: number;
  /** Null of a large one. */
  preview: string | null;
}

export interface LetterPage {
  items: DeadLetter[];
  next: string | null;
}

export interface LetterDetail extends DeadLetter {
  headers: Record<string, string[]>;
  /** Decoded; null where it cannot be. */
  body: unknown;
  body_base64: string;
}

export interface Retried {
  subject: string;
  message_id: string;
}

export interface BulkAnswer {
  done: number;
  /** Those that stay, and why. */
  refused: { id: number; reason: string }[];
  next: string | null;
}

const letterFields = {
  id: int,
  at: int,
  stream: str,
  subject: str,
  host: nullable(str),
  message_id: nullable(str),
  reason: str,
  content_type: nullable(str),
  size: int,
  kept: int,
  retries: int,
  preview: nullable(str),
};

const anything: Parse<unknown> = (value) => (Array.isArray(value) ? value : nullable(anyObject)(value));

export const parseLetterPage: Parse<LetterPage> = shape<LetterPage>({ items: list(shape<DeadLetter>(letterFields)), next: nullable(str) });

export const parseLetterDetail: Parse<LetterDetail> = shape<LetterDetail>({
  ...letterFields,
  headers: mapOf(list(str)),
  body: anything,
  body_base64: str,
});

export const parseRetried: Parse<Retried> = shape<Retried>({ subject: str, message_id: str });

export const parseBulkAnswer: Parse<BulkAnswer> = shape<BulkAnswer>({
  done: int,
  refused: list(shape<{ id: number; reason: string }>({ id: int, reason: str })),
  next: nullable(str),
});
