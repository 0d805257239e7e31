import type { IncomingMessage } from "node:http";

/** What the specification, Distribution and containerd put into a query: none of it is a secret. */
const shown = new Set([
  ...["digest", "mount", "from", "n", "last", "ns", "tag", "artifactType", "digest-algorithm"],
]);

/** A server has to take a whole URL as well (RFC 9112, section 3.2.2). */
export function targetOf({ url = "" }: Pick<IncomingMessage, "url">): string {
  return url.startsWith("/") ? url : url.replace(/^https?:\/\/[^/?]*/i, "");
}

/** Without the query, which may hold what was never meant for a log. */
export function pathIn(url = ""): string {
  return splitOnce(url, "?")[0] ?? "";
}

/** The target as a log may have it: with the parts of the query that are known not to be secret. */
export function shownTarget(request: Pick<IncomingMessage, "url">): string {
  const [path = "", query] = splitOnce(targetOf(request), "?");
  if (query === undefined) return path;
  const known = query.split("&").filter((part) => shown.has(splitOnce(part, "=")[0] ?? ""));
  return known.length === 0 ? path : `${path}?${known.join("&")}`;
}

export function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
