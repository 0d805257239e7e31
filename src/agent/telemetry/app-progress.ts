import type { Clock } from "../../base/clock.ts";
import type { AgentEvent, AppIdentity, Mode } from "../event.ts";

/** Of a poll, a hook or a phase of a deployment: all have shorter deadlines, or stall limits. */
const stuckMs = 900_000;
/** A registry may ask to be left alone for so long, and a large artifact may take it. */
const longestPauseMs = 3_600_000;

/**
 * How one app is doing, as far as its events tell.
 *
 * Silence is counted and not told by the time of day, which may be set while we run. What comes next
 * may be an hour away after a failed poll or when a new release was found; otherwise it is a poll.
 */
export class AppProgress {
  readonly #app: string;
  readonly #mode: Mode;
  readonly #clock: Clock;
  #isReady = false;
  #silentMs = 0;
  #pauseMs = 0;
  #intervalMs = 0;
  #active: string | undefined;
  #failed: string | undefined;
  #isRegistryDown = false;
  #polledAt: Date | undefined;

  constructor({ app, mode }: Pick<AppIdentity, "app" | "mode">, clock: Clock) {
    this.#app = app;
    this.#mode = mode;
    this.#clock = clock;
  }

  /** Whether its last good release is in service, or there was none and the registry was asked. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** What it is up to, without a time of day. */
  get state(): string {
    const active = this.#active === undefined ? "no release started yet" : `${this.#active} active`;
    const failed = this.#failed === undefined ? "" : `, ${this.#failed} failed`;
    return `${this.#app}: ${active}${failed}${this.#isRegistryDown ? ", the registry fails" : ""}`;
  }

  get sentence(): string {
    if (this.#polledAt === undefined) return `${this.state}, not polled yet`;
    return `${this.state}, polled ${this.#polledAt.toISOString().replace(/\.\d+/, "")}`;
  }

  take(event: AgentEvent): void {
    this.#silentMs = 0;
    if (event.type === "started" && this.#mode === "assets") this.#active = event.tag;
    if (event.type === "polled") this.#polled(event.tag);
    else if (event.type === "poll failed") this.#pollFailed();
    else if (event.type === "app started") {
      this.#isReady = true;
      // What a deployment starts is active once it is committed.
      if (event.reason !== "deploy") this.#active = event.tag ?? this.#active;
    } else if (event.type === "deployed") {
      this.#active = event.deployment.tag;
      this.#failed = undefined;
      this.#pauseMs = 0;
    } else if (event.type === "deployment failed") {
      this.#failed = event.deployment.tag;
      this.#pauseMs = 0;
    }
  }

  /** Counts time without events. @returns whether the loop that polls is still turning */
  pass(ms: number): boolean {
    this.#silentMs += ms;
    return this.#silentMs <= stuckMs + this.#pauseMs + this.#intervalMs;
  }

  #polled(tag: string | undefined): void {
    const now = this.#clock.now();
    // Nobody tells how often is polled; what lay between the last two is the best guess.
    if (this.#polledAt) this.#intervalMs = Math.max(0, now.getTime() - this.#polledAt.getTime());
    this.#polledAt = now;
    this.#pauseMs = tag === undefined || tag === this.#active ? 0 : longestPauseMs;
    this.#isRegistryDown = false;
    this.#isReady = true;
  }

  #pollFailed(): void {
    this.#pauseMs = longestPauseMs;
    this.#isRegistryDown = true;
    this.#isReady = true;
  }
}
