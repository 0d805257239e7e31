import * as v from "valibot";
import { parse } from "../../base/schema.ts";

const Settings = v.strictObject({
  /** Of Dewy: another one takes the sockets over. */
  version: v.string(),
  /** Where its socket is. Absolute. */
  directory: v.string(),
  idleMs: v.number(),
  proxyProtocol: v.boolean(),
  /** At a time; without it, what the limit of open files allows. */
  maximumConnections: v.optional(v.number()),
  /** After how long nobody needs it. */
  lonelyMs: v.optional(v.number(), 60_000),
  /** Ports and the descriptors of their sockets, from the process before. */
  inherited: v.optional(v.array(v.tuple([v.number(), v.number()])), []),
  /** The socket of that process. */
  predecessor: v.optional(v.string()),
});

/** What a process that carries traffic is started with, as one argument in JSON. */
export type ProxySettings = v.InferInput<typeof Settings>;

export function readSettings(text: string): v.InferOutput<typeof Settings> {
  return parse(Settings, JSON.parse(text), (path) => `the proxy's settings: ${path}`);
}

/** The same for two processes that one agent may take for one another. */
export function fingerprintOf(settings: ProxySettings): string {
  const { version, idleMs, proxyProtocol, maximumConnections = 0 } = settings;
  return JSON.stringify([version, idleMs, proxyProtocol, maximumConnections]);
}
