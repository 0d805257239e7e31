import { asksForSomething } from "./config-distribution.ts";

/** Why keys that Distribution knows have no effect here, by their path. */
const reasons: Readonly<Record<string, string>> = {
  "log.reportcaller": "a line of the log says what happened, and no line of the source",
  "storage.filesystem.maxthreads":
    "what is written has a thread of its own; UV_THREADPOOL_SIZE says how many read",
  "storage.cache": "the size of a blob is read from its file",
  "storage.tag.concurrencylimit": "how many tags are looked at side by side is fixed",
  "middleware.storage": "blobs are served by this registry itself, to whoever may pull them",
  "http.secret": "the state of an upload is in its file, and needs no signature",
  "http.h2c": "HTTP/2 is spoken over TLS only; without TLS, clients are answered in HTTP/1.1",
  redis: "nothing is kept in Redis",
  "proxy.cachewritetimeout": "what is fetched is kept once it is whole, however long that takes",
  "validation.enabled": "manifests are checked unless validation.disabled is true",
  reporting: "errors are in the log, and counted in the metrics of http.debug",
  "compatibility.schema1":
    "manifests of schema version 1 are refused, as by Distribution 3: push such images again with a current client",
};

/** A sentence for each key of `document` that is taken and has no effect. */
export function notesOn(document: unknown): string[] {
  return Object.entries(reasons)
    .filter(([path]) => asksForSomething(valueAt(document, path)))
    .map(([path, reason]) => `${path} has no effect here: ${reason}`);
}

function valueAt(document: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => {
    const isMapping = typeof value === "object" && value !== null;
    return isMapping ? (value as Record<string, unknown>)[key] : undefined;
  }, document);
}
