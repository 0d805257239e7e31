import { closeSync } from "node:fs";
import type { Server } from "node:net";
import { type BackendPool, openBackendPool } from "./backend-pool.ts";
import { type Connection, connectTo, descriptorOf, listen } from "./connection.ts";
import type { Backend, BackendLoad, Route } from "./data-plane.ts";
import { joinConnections } from "./joined-connections.ts";
import { openPortCounts, type PortCounts, type PortStatistics } from "./port-counts.ts";
import { proxyHeader } from "./proxy-header.ts";
import { ReadBuffers } from "./read-buffers.ts";
import { Silence, type Watched } from "./silence.ts";

export interface TcpProxyOptions {
  /** A connection that is silent for so long is closed; 0 for never. */
  idleMs: number;
  /** Whether backends are told whom a connection is from, by the PROXY protocol, version 2. */
  proxyProtocol: boolean;
  /** The most connections at a time, over all ports. */
  maximumConnections: number;
  /** Sockets that listen already, by port, from a proxy before this one. */
  inherited?: ReadonlyMap<number, number> | undefined;
}

const connectMs = 5_000;
/** What this host, and no backend, is short of. */
const ownShortages = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL", "EAGAIN"]);

interface OpenPort {
  server: Server;
  backends: readonly Backend[];
  counts: PortCounts;
}

/** One connection of a client, and of the backend that answers it. */
interface Passage extends Watched {
  port: OpenPort;
  /** Those that did not accept it. */
  tried: Set<string> | undefined;
  /** How many of its connections are not closed. */
  open: number;
}

/**
 * Carries TCP connections to backends: to the one that has least to do, and, when that does not
 * accept, to the next. Each direction ends by itself, and is held back by who reads slowly.
 */
export class TcpProxy {
  readonly #options: TcpProxyOptions;
  readonly #ports = new Map<number, OpenPort>();
  readonly #pool: BackendPool = openBackendPool();
  readonly #counts = new Map<number, PortCounts>();
  readonly #upstreams = new Map<string, Set<Connection>>();
  readonly #inherited: Map<number, number>;
  readonly #silence: Silence;
  readonly #buffers = new ReadBuffers();
  #active = 0;

  constructor(options: TcpProxyOptions) {
    this.#options = options;
    this.#inherited = new Map(options.inherited);
    this.#silence = new Silence({ idleMs: options.idleMs, connectMs }, giveUp);
  }

  /** @throws the system's error, when a port cannot be had; then nothing is changed */
  async declare(routes: readonly Route[]): Promise<void> {
    const wanted = routes.filter(({ backends }) => backends.length > 0);
    const opened = new Map<number, OpenPort>();
    try {
      for (const route of wanted) {
        const { port } = route;
        if (this.#ports.has(port)) continue;
        const open = await this.#open(route);
        opened.set(port, open);
        this.#ports.set(port, open);
      }
    } catch (error) {
      for (const [port, { server }] of opened) {
        server.close();
        this.#ports.delete(port);
      }
      throw error;
    }
    for (const { port, backends } of wanted) {
      const open = this.#ports.get(port);
      if (open) open.backends = backends;
    }
    for (const [port, { server }] of this.#ports) {
      if (wanted.some((route) => route.port === port)) continue;
      server.close();
      this.#ports.delete(port);
    }
    this.#closeInherited();
    this.#pool.keep(new Set(wanted.flatMap(({ backends }) => backends.map(({ id }) => id))));
  }

  /** Whether it listens there, or was left a socket that does. */
  has(port: number): boolean {
    return this.#ports.has(port) || this.#inherited.has(port);
  }

  get isIdle(): boolean {
    return this.#active === 0 && this.#upstreams.size === 0;
  }

  loads(): Map<string, BackendLoad> {
    return this.#pool.loads();
  }

  statistics(): PortStatistics[] {
    return [...this.#counts].map(([port, counts]) =>
      counts.read(this.#ports.get(port)?.backends.length ?? 0),
    );
  }

  routes(): Route[] {
    return [...this.#ports].map(([port, { backends }]) => ({ port, backends }));
  }

  /** Breaks off what is open to a backend. @returns how many connections that were */
  cut(id: string): number {
    const open = [...(this.#upstreams.get(id) ?? [])];
    for (const upstream of open) upstream.resetAndDestroy();
    return open.length;
  }

  /** The descriptors of the listening sockets, for who takes them over. */
  descriptors(): Map<number, number> {
    return new Map(
      [...this.#ports].flatMap(([port, { server }]): [number, number][] => {
        const descriptor = descriptorOf(server);
        return descriptor >= 0 ? [[port, descriptor]] : [];
      }),
    );
  }

  /** Takes no more connections. Those there are go on. */
  stopAccepting(): void {
    for (const { server } of this.#ports.values()) server.close();
  }

  async #open({ port, backends }: Route): Promise<OpenPort> {
    const counts = this.#counts.get(port) ?? openPortCounts(port);
    const fd = this.#inherited.get(port);
    this.#inherited.delete(port);
    const listener = {
      connection: (client: Connection) => this.#accept(client, open),
      failed: () => counts.failed(),
    };
    const server = await listen({ port, fd }, listener, this.#buffers);
    const open: OpenPort = { server, backends, counts };
    this.#counts.set(port, counts);
    return open;
  }

  /** Those of ports that are not declared: they would take connections that nobody accepts. */
  #closeInherited(): void {
    for (const descriptor of this.#inherited.values()) closeSync(descriptor);
    this.#inherited.clear();
  }

  #accept(client: Connection, port: OpenPort): void {
    client.on("error", () => {});
    if (this.#active >= this.#options.maximumConnections) {
      port.counts.refused();
      client.resetAndDestroy();
      return;
    }
    this.#active++;
    port.counts.begin(client);
    const begunAt = performance.now();
    // Without spreading anything, which takes as long as all the rest here.
    const passage: Passage = {
      client,
      upstream: undefined,
      isJoined: false,
      moved: 0,
      movedAt: begunAt,
      port,
      tried: undefined,
      open: 1,
    };
    this.#silence.add(passage);
    client.on("close", () => {
      this.#active--;
      port.counts.end(client, performance.now() - begunAt);
      if (!passage.isJoined) passage.upstream?.destroy();
      this.#leave(passage);
    });
    this.#attempt(passage);
  }

  #attempt(passage: Passage): void {
    const { client, port } = passage;
    if (client.destroyed) return;
    const backend = this.#pool.best(port.backends, passage.tried);
    if (!backend) {
      port.counts.failed();
      client.resetAndDestroy();
      return;
    }
    const { id } = backend;
    const pooled = this.#pool.of(id);
    pooled.begin();
    const upstream = connectTo(backend, this.#buffers);
    this.#remember(id, upstream);
    passage.upstream = upstream;
    passage.open++;
    passage.movedAt = performance.now();
    upstream.on("error", (error: NodeJS.ErrnoException) => {
      if (passage.isJoined) {
        pooled.fail("midway");
        return port.counts.failed();
      }
      if (!ownShortages.has(error.code ?? "")) pooled.fail("connect");
      this.#attemptOther(passage, id);
    });
    upstream.on("close", (hadError) => {
      pooled.end();
      this.#forget(id, upstream);
      if (!hadError && !passage.isJoined) this.#attemptOther(passage, id);
      this.#leave(passage);
    });
    upstream.on("connect", () => {
      const now = performance.now();
      pooled.succeed();
      // Who has gone has no name any more, and what it said must not pass for ours.
      if (this.#options.proxyProtocol && !client.remoteAddress) return void client.destroy();
      port.counts.connected(now - passage.movedAt);
      passage.isJoined = true;
      passage.movedAt = now;
      if (this.#options.proxyProtocol) upstream.write(proxyHeader(client));
      joinConnections(client, upstream);
    });
  }

  #attemptOther(passage: Passage, id: string): void {
    passage.tried = (passage.tried ?? new Set()).add(id);
    this.#attempt(passage);
  }

  #leave(passage: Passage): void {
    passage.open--;
    if (passage.open === 0) this.#silence.delete(passage);
  }

  #remember(id: string, upstream: Connection): void {
    const open = this.#upstreams.get(id);
    if (open) open.add(upstream);
    else this.#upstreams.set(id, new Set([upstream]));
  }

  #forget(id: string, upstream: Connection): void {
    const open = this.#upstreams.get(id);
    open?.delete(upstream);
    if (open?.size === 0) this.#upstreams.delete(id);
  }
}

function giveUp({ client, upstream, isJoined }: Watched): void {
  if (!isJoined) return void upstream?.destroy(new ConnectTimeout());
  for (const connection of [client, upstream]) {
    // Half of what it was told must not look like all of it.
    if (connection?.writableLength) connection.resetAndDestroy();
    else connection?.destroy();
  }
}

class ConnectTimeout extends Error {
  readonly code = "ETIMEDOUT";
}
