import { OciError } from "./error.ts";

const link = /<([^>]*)>((?:\s*;\s*[\w*-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]+))*)/g;

/**
 * The next page named by a `Link` header (RFC 8288), resolved against the page it came with;
 * `undefined` on the last page.
 *
 * @throws {OciError} `DENIED` when it leads to another origin, which must not get our credentials
 */
export function nextPage(header: string | undefined, page: URL): URL | undefined {
  for (const [, target = "", parameters = ""] of (header ?? "").matchAll(link)) {
    if (!/;\s*rel\s*=\s*"?(?:[^"]*\s)?next(?=[\s";,]|$)/i.test(parameters)) continue;
    const url = URL.canParse(target, page.href) ? new URL(target, page) : undefined;
    if (url?.origin === page.origin) return url;
    throw new OciError("DENIED", `${page.host} continues its list at another host`, {
      hint: "have the registry, or the proxy before it, send relative links or its own address",
    });
  }
  return undefined;
}
