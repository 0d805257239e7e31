import type { Descriptor } from "../../oci/manifest.ts";

/** What can happen to an image or a part of one, in Distribution's words. */
export type EventAction = "pull" | "push" | "mount" | "delete";

/** What it happened to. The order of the names is the one in which Distribution writes them. */
export interface EventTarget {
  mediaType?: string;
  size?: number;
  digest?: string;
  /** The same as `size`; older receivers read it. */
  length?: number;
  repository: string;
  /** Where a blob was mounted from. */
  fromRepository?: string;
  url?: string;
  tag?: string;
  /** What a manifest is made of, where that is asked for. */
  references?: readonly Pick<Descriptor, "mediaType" | "size" | "digest">[];
}

/** What happened to something, before it is known who is told. */
export interface Happening {
  action: EventAction;
  target: EventTarget;
}

/** One event of an envelope: Distribution's `notifications.Event`, as it is sent. */
export interface RegistryEvent {
  id: string;
  timestamp: string;
  action: EventAction;
  target: EventTarget;
  request: { id: string; addr?: string; host?: string; method: string; useragent: string };
  actor: { name?: string };
  source: { addr: string; instanceID: string };
  /** The trace of the request, for the header of that name; not in what is sent. */
  traceparent?: string;
}

/** Takes what happened. */
export interface EventSink {
  /** Whether anybody wants to hear of it, before it is put together. */
  wants(action: EventAction): boolean;
  /**
   * Resolves when the event outlives this process, or after a second if the disk is slower. Never
   * rejects: nobody's push fails because it cannot be told of.
   */
  publish(event: RegistryEvent): Promise<void>;
}
