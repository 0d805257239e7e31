import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import type { Logger } from "../../base/logger.ts";
import {
  type Assignments,
  openServiceManager,
  type ServiceManager,
} from "../../base/systemd-notify.ts";
import type { AppIdentity, Observe } from "../event.ts";
import { AppProgress } from "./app-progress.ts";

export interface SystemdNotifyParts {
  clock: Clock;
  logger: Logger;
  /** `systemd-notify` */
  program?: string;
}

/** Also how fresh the time of the last poll in STATUS is. */
const longestTickMs = 30_000;
/** An app that needs longer to start keeps systemd from giving up on us only for so long. */
const longestStartMs = 600_000;

/**
 * Ready is the agent when each app has its last good release in service, or had none to start and
 * the registry was asked once, whatever it answered: an agent whose registry is down is up.
 *
 * `undefined` when no service manager wants to be told, as `Type=notify` in a unit does. The unit
 * needs `NotifyAccess=all`.
 */
export function openSystemdNotify(
  environment: Environment,
  parts: SystemdNotifyParts,
): SystemdNotify | undefined {
  const manager = openServiceManager(environment, parts);
  return manager && new SystemdNotify(manager, parts.clock);
}

/** Tells systemd how the agent is doing, by sd_notify(3). */
export class SystemdNotify {
  readonly #manager: ServiceManager;
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #stop = new AbortController();
  readonly #apps = new Map<string, AppProgress>();
  readonly #ended: Promise<void>;
  #phase: "starting" | "ready" | "stopping" = "starting";
  #startingMs = 0;
  #told = "";

  constructor(manager: ServiceManager, clock: Clock) {
    this.#manager = manager;
    this.#clock = clock;
    this.#tickMs = Math.min(longestTickMs, (manager.watchdogMs ?? Infinity) / 2);
    this.#ended = this.#keepTelling();
  }

  /** Every app of this process is to be observed before the first event of any. */
  observe({ app, mode }: AppIdentity): Observe {
    const progress = new AppProgress({ app, mode }, this.#clock);
    this.#apps.set(app, progress);
    return (event) => {
      progress.take(event);
      if (this.#progress.every(({ isReady }) => isReady)) this.ready();
      if (this.#phase !== "stopping" && this.#state !== this.#told) {
        this.#manager.notify(this.#status());
      }
    };
  }

  /** The app is no longer one of this process, or begins anew: its silence is no sign of anything. */
  forget(app: string): void {
    this.#apps.delete(app);
  }

  /** Says `READY=1` at once; otherwise that is said when every app is ready. */
  ready(): void {
    if (this.#phase !== "starting") return;
    this.#phase = "ready";
    this.#manager.notify({ READY: "1", ...this.#status() });
  }

  /** Says `STOPPING=1`; from then on systemd waits until `close`, however long apps drain. */
  stopping(): void {
    if (this.#phase === "stopping") return;
    this.#phase = "stopping";
    this.#manager.notify({ STOPPING: "1", STATUS: "stopping", ...this.#extension });
  }

  /** Resolves when the last word was said, after a few seconds at the latest. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
    await this.#manager.settled();
  }

  async #keepTelling(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#clock.sleep(this.#tickMs, this.#stop).catch(() => {});
      if (!this.#stop.signal.aborted) this.#manager.notify(this.#tick());
    }
  }

  #tick(): Assignments {
    const isTurning = this.#progress.map((app) => app.pass(this.#tickMs)).every(Boolean);
    if (this.#phase === "stopping") return { ...this.#extension, ...this.#alive };
    if (this.#phase === "starting") this.#startingMs += this.#tickMs;
    const isStarting = this.#phase === "starting" && this.#startingMs <= longestStartMs;
    return {
      ...this.#status(),
      ...(isTurning && this.#alive),
      ...(isStarting && this.#extension),
    };
  }

  get #progress(): AppProgress[] {
    return [...this.#apps.values()];
  }

  get #alive(): Assignments {
    return this.#manager.watchdogMs === undefined ? {} : { WATCHDOG: "1" };
  }

  /** Until the next tick but one, and a little more. */
  get #extension(): Assignments {
    return { EXTEND_TIMEOUT_USEC: String(Math.round((2 * this.#tickMs + 10_000) * 1000)) };
  }

  get #state(): string {
    return this.#progress.map(({ state }) => state).join("; ");
  }

  #status(): Assignments {
    this.#told = this.#state;
    return { STATUS: this.#progress.map(({ sentence }) => sentence).join("; ") };
  }
}
