// Small parsers for what comes over the wire: each takes an unknown value and gives a typed one, or
// throws a ContractError that names the field. They check types, not ranges: a strange number is
// the server's to explain, a missing one would crash a view far from its cause.

export type Parse<T> = (value: unknown) => T;

/** A message that breaks the contract; `field` is the path from the message's root. */
export class ContractError extends Error {
  readonly field: string;
  private readonly complaint: string;

  constructor(field: string, complaint: string) {
    super(`${field === '' ? 'the message' : field} ${complaint}`);
    this.name = 'ContractError';
    this.field = field;
    this.complaint = complaint;
  }

  /** The same error seen from one level further out. */
  within(outer: string): ContractError {
    const joint = this.field === '' || this.field.startsWith('[') ? '' : '.';
    return new ContractError(`${outer}${joint}${this.field}`, this.complaint);
  }
}

function wrong(expected: string, value: unknown): ContractError {
  const found = value === undefined ? 'is missing' : `is ${describe(value)}`;
  return new ContractError('', `${found}, expected ${expected}`);
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  const text = JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 40)}...` : text;
}

// The path is built only while an error travels outwards: thousands of hosts are parsed a second.
function inside<T>(name: string, parse: Parse<T>, value: unknown): T {
  try {
    return parse(value);
  } catch (error) {
    throw error instanceof ContractError ? error.within(name) : error;
  }
}

export const num: Parse<number> = (value) => {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw wrong('a number', value);
};

/** Counts and times: whole numbers. */
export const int: Parse<number> = (value) => {
  if (Number.isInteger(value)) return value as number;
  throw wrong('a whole number', value);
};

export const bool: Parse<boolean> = (value) => {
  if (typeof value === 'boolean') return value;
  throw wrong('true or false', value);
};

export const str: Parse<string> = (value) => {
  if (typeof value === 'string') return value;
  throw wrong('text', value);
};

/** Text, or something plain that has an obvious one. */
export const plainText: Parse<string> = (value) => {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw wrong('text', value);
};

export function nullable<T>(parse: Parse<T>): Parse<T | null> {
  return (value) => (value === null ? null : parse(value));
}

/** A field that is left out where it has nothing to say. */
export function absentAs<T>(absent: T, parse: Parse<T>): Parse<T> {
  return (value) => (value === undefined ? absent : parse(value));
}

/** The same, where the absence itself is what is said. */
export function optional<T>(parse: Parse<T>): Parse<T | null> {
  return absentAs<T | null>(null, parse);
}

export function oneOf<T extends string>(...allowed: readonly T[]): Parse<T> {
  return (value) => {
    if (allowed.includes(value as T)) return value as T;
    throw wrong(allowed.map((one) => `"${one}"`).join(' or '), value);
  };
}

export function list<T>(parse: Parse<T>): Parse<T[]> {
  return (value) => {
    if (!Array.isArray(value)) throw wrong('a list', value);
    return value.map((item, index) => inside(`[${index}]`, parse, item));
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An object with at least these fields; fields it does not name are ignored, as the contract says. */
export function shape<T extends object>(fields: { [K in keyof T]-?: Parse<T[K]> }): Parse<T> {
  const parsers = Object.entries(fields) as [string, Parse<unknown>][];
  return (value) => {
    if (!isRecord(value)) throw wrong('an object', value);
    const parsed: Record<string, unknown> = {};
    for (const [name, parse] of parsers) parsed[name] = inside(name, parse, value[name]);
    return parsed as T;
  };
}

/** An object used as a map from text to one kind of value. */
export function mapOf<T>(parse: Parse<T>): Parse<Record<string, T>> {
  return (value) => {
    if (!isRecord(value)) throw wrong('an object', value);
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, inside(key, parse, item)]),
    );
  };
}

/** Any object, kept as it is: for details whose fields depend on the kind. */
export const anyObject: Parse<Record<string, unknown>> = (value) => {
  if (isRecord(value)) return value;
  throw wrong('an object', value);
};
