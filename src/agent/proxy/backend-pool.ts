import type { Backend, BackendLoad } from "./data-plane.ts";

const firstEjectionMs = 1_000;
const longestEjectionMs = 30_000;
/** More than any backend has to do. */
const ejected = 2 ** 40;

/** What one backend has to do, and whether it accepts. Shared by all ports it is behind. */
export interface PooledBackend {
  readonly id: string;
  readonly load: BackendLoad;
  /** A connection was given to it. */
  begin(): void;
  /** One is over. */
  end(): void;
  /** It did not accept, or broke off. */
  fail(kind: "connect" | "midway"): void;
  /** It has accepted. */
  succeed(): void;
  /** Until when, by `performance.now()`, nobody is sent to it who can be sent elsewhere. */
  readonly ejectedUntil: number;
}

/** Every backend that is declared, or still has connections. */
export interface BackendPool {
  of(id: string): PooledBackend;
  /** One that accepts, and has least to do, and is not among `tried`; among equals each in its turn. */
  best(backends: readonly Backend[], tried: ReadonlySet<string> | undefined): Backend | undefined;
  loads(): Map<string, BackendLoad>;
  /** Forgets those that are not among `ids` and have nothing to do. */
  keep(ids: ReadonlySet<string>): void;
}

export function openBackendPool(): BackendPool {
  const all = new Map<string, PooledBackend>();
  let kept: ReadonlySet<string> = new Set();
  let turn = 0;
  return {
    of,

    best(backends, tried) {
      const now = performance.now();
      let best: Backend | undefined;
      let least = Number.POSITIVE_INFINITY;
      turn++;
      for (let place = 0; place < backends.length; place++) {
        const backend = backends[(turn + place) % backends.length] as Backend;
        if (tried?.has(backend.id)) continue;
        const { load, ejectedUntil } = of(backend.id);
        const rank = load.open + (ejectedUntil > now ? ejected : 0);
        if (rank >= least) continue;
        [best, least] = [backend, rank];
      }
      return best;
    },

    loads: () => new Map([...all].map(([id, { load }]) => [id, { ...load }])),

    keep(ids) {
      kept = ids;
      for (const [id, { load }] of all) if (load.open === 0 && !ids.has(id)) all.delete(id);
    },
  };

  function of(id: string): PooledBackend {
    const known = all.get(id);
    if (known) return known;
    const backend = openBackend(id, () => {
      if (!kept.has(id)) all.delete(id);
    });
    all.set(id, backend);
    return backend;
  }
}

function openBackend(id: string, onIdle: () => void): PooledBackend {
  const load: BackendLoad = { open: 0, total: 0, failed: 0 };
  let refusals = 0;
  let ejectedUntil = 0;
  return {
    id,
    load,
    get ejectedUntil() {
      return ejectedUntil;
    },
    begin() {
      load.open++;
      load.total++;
    },
    end() {
      load.open--;
      if (load.open === 0) onIdle();
    },
    fail(kind) {
      load.failed++;
      if (kind === "midway") return;
      const ejectionMs = Math.min(firstEjectionMs * 2 ** refusals++, longestEjectionMs);
      ejectedUntil = performance.now() + ejectionMs;
    },
    succeed() {
      refusals = 0;
      ejectedUntil = 0;
    },
  };
}
