import type { Call } from "../../src/base/call.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { Environment } from "../../src/base/environment.ts";
import type { HttpClient } from "../../src/base/http-client.ts";
import type { Meter, Sighting } from "./meter.ts";

export interface PeerParts {
  http: HttpClient;
  clock: Clock;
}

/** A release registry that is polled, with meters before all of its servers. */
export interface Subject {
  name: string;
  /** For `openReleaseRegistry`. */
  registry: string;
  environment: Environment;
  meters: readonly Meter[];
  /** Whether its provider counts a request against a limit, or bills it. */
  isCounted(sighting: Sighting): boolean;
  /** Whether an idle poll is promised to be free of what is counted. */
  isFree: boolean;
  /** Whether a request is the one that an agent's look begins with. */
  beginsLook(sighting: Sighting): boolean;
  /** Opens what asks as the original does: the same question, and everything each time. */
  openPeer(parts: PeerParts): Promise<Peer>;
  close(): Promise<void>;
}

export interface Peer {
  poll(call: Call): Promise<void>;
  close(): void;
}
