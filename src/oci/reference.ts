import { type Digest, isDigest } from "./digest.ts";
import { OciError } from "./error.ts";

const component = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const repositoryPattern = new RegExp(`^${component}(?:/${component})*$`);
const tagPattern = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** Where an image or artifact lives: `host[:port]/repository[:tag|@digest]`. */
export interface Reference {
  host: string;
  repository: string;
  tag: string | undefined;
  digest: Digest | undefined;
}

/** The grammar of the distribution specification ("Pulling manifests", `<name>`), 255 at the most. */
export function isRepository(text: string): boolean {
  return text.length <= 255 && repositoryPattern.test(text);
}

export function isTag(text: string): boolean {
  return tagPattern.test(text);
}

/** @throws {OciError} `NAME_INVALID`, `TAG_INVALID` or `DIGEST_INVALID` */
export function parseReference(text: string): Reference {
  const [whole, ...digests] = text.split("@");
  const digest = digests[0];
  if (digests.length > 1 || (digest !== undefined && !isDigest(digest))) {
    throw new OciError("DIGEST_INVALID", `not a digest: ${digests.join("@")}`);
  }
  const slash = (whole ?? "").indexOf("/");
  const host = (whole ?? "").slice(0, slash);
  if (slash < 1 || !isHost(host)) {
    throw new OciError("NAME_INVALID", `${text} names no registry host`, {
      hint: "write it as host/repository:tag, such as registry.example.com/app:v1.0.0",
    });
  }
  const path = (whole ?? "").slice(slash + 1);
  const colon = path.indexOf(":");
  const repository = colon < 0 ? path : path.slice(0, colon);
  const tag = colon < 0 ? undefined : path.slice(colon + 1);
  if (!isRepository(repository)) {
    throw new OciError("NAME_INVALID", `not a repository name: ${repository || "(nothing)"}`, {
      hint: "use lower-case letters, digits, and . _ - between them",
    });
  }
  if (tag !== undefined && !isTag(tag)) {
    throw new OciError("TAG_INVALID", `not a tag: ${tag || "(nothing)"}`, {
      hint: "use up to 128 letters, digits, . _ and -; a tag cannot hold a +, write _ instead",
    });
  }
  return { host, repository, tag, digest };
}

function isHost(text: string): boolean {
  const isOfForm = /^(?:[a-zA-Z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/.test(text);
  return isOfForm && URL.canParse(`https://${text}/`);
}

/** Whether `host` (with or without a port) is this machine, where plain HTTP is safe. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, "");
  return name === "localhost" || name === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(name);
}
