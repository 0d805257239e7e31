export interface ErrorDetails {
  cause?: unknown;
  /** The next thing the reader can do, as one imperative sentence. */
  hint?: string | undefined;
}

/**
 * An error Dewy raises on purpose: `code` is for programs, `message` for people.
 *
 * Each area declares its own subclass with its own closed set of codes. Anything that reaches the
 * top of the program and is not a `DewyError` is a bug, and is reported with its stack.
 */
export abstract class DewyError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly hint: string | undefined;

  constructor(code: Code, message: string, { cause, hint }: ErrorDetails = {}) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
    this.hint = hint;
  }

  override get name(): string {
    return this.constructor.name;
  }
}

/** What a person asked for cannot be meant: exit status 2, before anything has started. */
export class ConfigError extends DewyError<"INVALID"> {
  constructor(message: string, details: ErrorDetails = {}) {
    super("INVALID", message, details);
  }
}

/** `error`, when it comes before anything has started: then it is a mistake in what was asked for. */
export function asConfigError(error: DewyError): ConfigError {
  return new ConfigError(error.message, { cause: error, hint: error.hint });
}

/** What went wrong and what to do about it, in one line. */
export function lineOf({ message, hint }: DewyError): string {
  return [message, hint]
    .filter(Boolean)
    .join(": ")
    .replace(/\s*\n\s*/g, " ");
}

/** A line for each of the mistakes that `error` names, and one for what to do about them. */
export function linesOf(error: ConfigError): string[] {
  const lines = error.message.split("\n");
  if (lines.length === 1) return [lineOf(error)];
  return [...lines, ...(error.hint ? [error.hint] : [])];
}

/** The system's own error code, such as `ENOENT`, when `error` carries one. */
export function systemCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** The sentence to show for anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
