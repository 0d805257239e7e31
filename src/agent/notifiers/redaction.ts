import type { Environment } from "../../base/environment.ts";
import { DewyError, systemCodeOf } from "../../base/errors.ts";
import { concealed, Secret } from "../../base/secret.ts";

const longestSentence = 1_000;
/** What is shorter under the name of a key is a setting, and would be found in innocent words. */
const shortestKey = 16;

/** The values in the environment that must not leave this host. */
export function secretsIn(environment: Environment): Secret[] {
  return Object.entries(environment).flatMap(([name, value = ""]) => {
    const isSecret = /(?:TOKEN|SECRET|PASSWORD|PASSWD)$/i.test(name);
    const isKey = /KEY$/i.test(name) && value.length >= shortestKey;
    return isSecret || isKey ? [new Secret(value)] : [];
  });
}

/**
 * What a notice says of an error: one line, without credentials. A log stays on the host, a notice is
 * read by a whole channel; so of a bug, whose message may hold anything, it tells no more than the kind.
 */
export function sentenceOf(error: unknown, secrets: readonly Secret[]): string {
  if (error instanceof DewyError) return redacted(error.message, secrets);
  const kind = systemCodeOf(error) ?? (error instanceof Error ? error.name : typeof error);
  return `something unexpected (${redacted(kind, secrets)}); the log says more`;
}

/** `text` on one line, bounded, and without what looks like a credential. */
export function redacted(text: string, secrets: readonly Secret[]): string {
  const line = concealed(text, secrets)
    .replace(/(:\/\/)[^\s/@]+@/g, "$1***@")
    .replace(/([?&][\w.-]*(?:token|password|secret|signature|key)[\w.-]*=)[^&\s]+/gi, "$1***")
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim();
  return line.length > longestSentence ? `${line.slice(0, longestSentence)} …` : line;
}
