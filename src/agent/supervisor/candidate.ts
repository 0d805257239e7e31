import type { Notification } from "../readiness/notification.ts";
import { SupervisorError } from "./supervisor-error.ts";
import type { Worker } from "./worker.ts";
import { startFailure } from "./worker-exit.ts";

/** A generation that runs beside the committed one, until somebody decides about it. */
export interface Replacement {
  readonly pid: number;
  readonly generation: number;
  /** See `Worker`. */
  readonly notification: Notification | undefined;
  /**
   * Settles when the waiting is over, and never rejects: with the error when the process died by
   * itself, with `undefined` once it was committed or undone. Race it against a time of probation.
   */
  readonly failed: Promise<SupervisorError | undefined>;
  /**
   * Makes it the one that is kept up, and lets every older one drain in the background.
   *
   * @throws {SupervisorError} `START_FAILED` when it has died, `STOPPED` when it was undone; the
   * older one has then not been touched.
   */
  commit(): void;
  /**
   * Stops it, and resolves when nothing of it is left; the older one stays. What the command leads to
   * must be back in place before: if the older one has died meanwhile, it is started again now.
   */
  undo(): Promise<void>;
}

interface Decisions {
  commit(worker: Worker): void;
  undo(worker: Worker): Promise<void>;
}

export class Candidate implements Replacement {
  readonly failed: Promise<SupervisorError | undefined>;
  readonly worker: Worker;
  readonly #decisions: Decisions;
  readonly #settle: (failure: SupervisorError | undefined) => void;
  #failure: SupervisorError | undefined;
  #undone: Promise<void> | undefined;
  #fate: "open" | "committed" | "undone" | "dead" = "open";

  constructor(worker: Worker, command: string, decisions: Decisions) {
    const { promise, resolve } = deferred<SupervisorError | undefined>();
    this.failed = promise;
    this.#settle = resolve;
    this.worker = worker;
    this.#decisions = decisions;
    void worker.exited.then((exit) => {
      if (this.#fate !== "open") return;
      this.#failure = startFailure(command, exit, worker.livedMs());
      this.#decide("dead");
    });
  }

  get pid(): number {
    return this.worker.pid;
  }

  get generation(): number {
    return this.worker.generation;
  }

  get notification(): Notification | undefined {
    return this.worker.notification;
  }

  commit(): void {
    if (this.#fate === "committed") return;
    if (this.#failure) throw this.#failure;
    if (this.#fate === "undone") {
      throw new SupervisorError("STOPPED", `generation ${this.generation} has been stopped`);
    }
    this.#decide("committed");
    this.#decisions.commit(this.worker);
  }

  /** A second decision has no effect: what was committed ends by being replaced. */
  async undo(): Promise<void> {
    if (this.#fate === "open") {
      this.#decide("undone");
      this.#undone = this.#decisions.undo(this.worker);
    }
    if (this.#fate === "dead") await this.worker.gone;
    await this.#undone;
  }

  #decide(fate: "committed" | "undone" | "dead"): void {
    if (this.#fate !== "open") return;
    this.#fate = fate;
    this.#settle(this.#failure);
  }
}

function deferred<Value>() {
  let resolve: (value: Value) => void = () => {};
  const promise = new Promise<Value>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
