import type { Call } from "../../base/call.ts";
import { ConfigError } from "../../base/errors.ts";
import type { HttpAnswer } from "../../base/http-client.ts";
import { retryAfterMs } from "../../base/retry-after.ts";
import { isLoopback } from "../../oci/reference.ts";
import type { Artifact, OpenedArtifact } from "../release.ts";
import type { ArtifactSource } from "./artifact-source.ts";
import type { RegistryParts } from "./parts.ts";
import { failure } from "./registry-failure.ts";

/** `https://host/path/file`, and `http://` on this machine. */
export async function openHttpArtifact(
  text: string,
  { http, clock }: RegistryParts,
): Promise<ArtifactSource> {
  const url = checkedUrl(text);
  const name = nameIn(url);
  let validator: string | undefined;

  return {
    async stat() {
      const shown = url.origin + url.pathname;
      return {
        ...{ name, platform: undefined, sizeBytes: undefined, digest: undefined },
        ...{ identity: shown, url: shown },
      } satisfies Artifact;
    },

    async open(_artifact, { signal, from }): Promise<OpenedArtifact> {
      if (from > 0) {
        const rest = await request(from, { signal });
        const isWanted = rest.headers["content-range"]?.startsWith(`bytes ${from}-`) ?? false;
        if (rest.status === 206 && isWanted) return { bytes: rest.body, from };
        if (rest.status === 200) return { bytes: begun(rest).body, from: 0 };
        rest.discard(); // another file than the one that was begun: start over
      }
      return { bytes: begun(await request(0, { signal })).body, from: 0 };
    },

    async close() {},
  };

  async function request(from: number, call: Call): Promise<HttpAnswer> {
    const range = { range: `bytes=${from}-`, "if-range": validator };
    // Bytes of a coded body would be other ones than those the range and the digest count.
    const headers = { "accept-encoding": "identity", ...(from > 0 ? range : {}) };
    const answer = await http.request({ url, headers }, call);
    if ((from > 0 ? [200, 206, 416] : [200]).includes(answer.status)) return answer;
    answer.discard();
    throw refusal(answer, clock.now());
  }

  /** A weak entity tag is none for a range (RFC 9110, 13.1.5). */
  function begun(answer: HttpAnswer): HttpAnswer {
    const { etag } = answer.headers;
    validator = etag?.startsWith('"') ? etag : undefined;
    return answer;
  }
}

function checkedUrl(text: string): URL {
  if (!URL.canParse(text)) {
    throw new ConfigError("this is no URL", { hint: "write it as https://host/path/file" });
  }
  const url = new URL(text);
  if (url.protocol === "http:" && !isLoopback(url.host)) {
    throw new ConfigError(`${url.host} is not this machine, and http:// is open to anybody`, {
      hint: "serve the artifact by https://",
    });
  }
  return url;
}

function nameIn({ pathname }: URL): string {
  const last = pathname.split("/").at(-1) ?? "";
  const name = /%(?![\da-f]{2})/i.test(last) ? last : decoded(last);
  if (name !== "" && name !== "." && name !== ".." && !/[/\\\0]/.test(name)) return name;
  throw new ConfigError("this URL names no file", {
    hint: "let its path end in the file's name, such as app_linux_amd64.tar.gz",
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // not UTF-8: the name as it stands does as well
  }
}

function refusal({ status, headers, url }: HttpAnswer, now: Date) {
  const message = `${url.host} answered ${status} for ${url.pathname}`;
  if (status === 401 || status === 403) {
    const hint = "let the server announce a URL that this host may read, such as a signed one";
    return failure("UNAUTHORIZED", message, { hint });
  }
  if (status === 404 || status === 410) {
    const hint = "publish the file there before the server announces it";
    return failure("NOT_FOUND", message, { hint });
  }
  return failure(status === 429 ? "RATE_LIMITED" : "UNAVAILABLE", message, {
    hint: `check the server at ${url.host}`,
    retryAfterMs: retryAfterMs(headers, now),
  });
}
