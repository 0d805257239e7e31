import type { Backend, BackendLoad } from "./data-plane.ts";

const firstEjectionMs = 1_000;
const longestEjectionMs = 30_000;

/** What one backend has to do, and whether it accepts. Shared by all ports it is behind. */
export interface PooledBackend {
  readonly id: string;
  readonly load: BackendLoad;
  /** A connection was given to it; call the result when it is over. */
  begin(): () => void;
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
  /** Best first: those that accept, and have least to do; among equals each in its turn. */
  ranked(backends: readonly Backend[]): Backend[];
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

    ranked(backends) {
      const now = performance.now();
      const first = backends.length === 0 ? 0 : turn++ % backends.length;
      const inTurn = [...backends.slice(first), ...backends.slice(0, first)];
      const rank = ({ id }: Backend) => {
        const { load, ejectedUntil } = of(id);
        return { isEjected: Number(ejectedUntil > now), open: load.open };
      };
      return inTurn
        .map((backend) => ({ backend, ...rank(backend) }))
        .sort((a, b) => a.isEjected - b.isEjected || a.open - b.open)
        .map(({ backend }) => backend);
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
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        load.open--;
        if (load.open === 0) onIdle();
      };
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
