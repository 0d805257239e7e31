import { inspect } from "node:util";

/** Holds what must not be seen: it prints as `***` in logs, errors, JSON and inspections. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return "***";
  }

  toJSON(): string {
    return "***";
  }

  [inspect.custom](): string {
    return "***";
  }
}

/** What takes part in so few characters is no secret, and would be found everywhere. */
const shortestSecret = 4;

/**
 * `text` without what `secrets` hold, for words that came from where they were sent to: a server or
 * a proxy may repeat what it was asked with.
 */
export function concealed(text: string, secrets: readonly Secret[]): string {
  const values = secrets.flatMap((secret) => partsOf(secret.reveal()));
  return values
    .filter((value) => value.length >= shortestSecret)
    .sort((a, b) => b.length - a.length)
    .reduce((shown, value) => shown.replaceAll(value, "***"), text);
}

/** The value of a header also without its scheme, and the password of RFC 7617 by itself. */
function partsOf(value: string): string[] {
  const [, scheme = "", credentials = value] = /^(\w+) (.+)$/s.exec(value) ?? [];
  if (scheme.toLowerCase() !== "basic") return [credentials];
  const pair = Buffer.from(credentials, "base64").toString();
  return [credentials, pair, pair.slice(pair.indexOf(":") + 1)];
}
