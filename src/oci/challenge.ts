/** One way in that a server offers, as it came in `WWW-Authenticate`. */
export interface Challenge {
  /** In lower case: `basic`, `bearer`. */
  scheme: string;
  /** Names in lower case. */
  parameters: Readonly<Record<string, string | undefined>>;
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const quoted = '"(?:[^"\\\\]|\\\\.)*"';
/** A parameter of the current challenge, or the scheme that begins the next (RFC 7235, 2.1 and 4.1). */
const part = new RegExp(
  `[\\s,]*(?:(?<name>${token})\\s*=\\s*(?<value>${quoted}|${token})(?=\\s*(?:,|$))|(?<scheme>${token})(?!${token})(?!\\s*=)(?:\\s+(?<token68>[A-Za-z0-9._~+/-]+=*)(?=\\s*(?:,|$)))?)`,
  "gy",
);

/**
 * Reads the value of `WWW-Authenticate`, which may hold several challenges, and commas inside of
 * quotes. What cannot be read ends the list: a server's nonsense is no reason to fail.
 */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  for (const { groups = {} } of header.matchAll(part)) {
    const { name, value = "", scheme } = groups;
    if (scheme !== undefined) {
      challenges.push({ scheme: scheme.toLowerCase(), parameters: {} });
    } else if (name !== undefined) {
      const current = challenges.at(-1);
      if (current) current.parameters[name.toLowerCase()] ??= unquoted(value);
    }
  }
  return challenges;
}

/** Writes a challenge as a server sends it, its parameters in their order, all of them in quotes. */
export function formatChallenge({ scheme, parameters }: Challenge): string {
  const name = `${scheme.slice(0, 1).toUpperCase()}${scheme.slice(1)}`;
  const list = Object.entries(parameters).flatMap(([parameter, value]) =>
    value === undefined ? [] : `${parameter}="${value.replace(/[\\"]/g, "\\$&")}"`,
  );
  return `${name} ${list.join(",")}`;
}

function unquoted(value: string): string {
  return value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value;
}
