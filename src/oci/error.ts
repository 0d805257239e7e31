import { DewyError, type ErrorDetails } from "../base/errors.ts";

/**
 * Every code of the distribution specification ("Error Codes"), and those that Distribution adds and
 * clients know, with the status each travels under.
 */
const statusByCode = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DENIED: 403,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 400,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  PAGINATION_NUMBER_INVALID: 400,
  RANGE_INVALID: 416,
  SIZE_INVALID: 400,
  TAG_INVALID: 400,
  TOOMANYREQUESTS: 429,
  UNAUTHORIZED: 401,
  UNAVAILABLE: 503,
  UNKNOWN: 500,
  UNSUPPORTED: 405,
} as const;

export type OciErrorCode = keyof typeof statusByCode;

export function isOciErrorCode(text: string): text is OciErrorCode {
  return Object.hasOwn(statusByCode, text);
}

/** A failure the specification has a name for. Thrown by the server, and by the client on receipt. */
export class OciError extends DewyError<OciErrorCode> {
  readonly detail: unknown;
  /** How long the server asked us to stay away. */
  readonly retryAfterMs: number | undefined;
  readonly #status: number | undefined;

  constructor(
    code: OciErrorCode,
    message: string,
    details: ErrorDetails & {
      detail?: unknown;
      /** Where the specification wants another status than the code's own, such as 413. */
      status?: number;
      retryAfterMs?: number;
    } = {},
  ) {
    super(code, message, details);
    this.detail = details.detail;
    this.retryAfterMs = details.retryAfterMs;
    this.#status = details.status;
  }

  get status(): number {
    return this.#status ?? statusByCode[this.code];
  }

  toJSON(): object {
    return { code: this.code, message: this.message, detail: this.detail };
  }
}
