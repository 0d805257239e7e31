import { freePort } from "../free-port.ts";
import { type Stage, until } from "../stage.ts";
import { countOf, type Met, startClients } from "./clients.ts";
import type { Engine } from "./engine.ts";
import { type Fault, faults, openPublisher } from "./image.ts";
import { openReplicas, replicas as replicaCount, repository } from "./replicas.ts";

export interface Rounds {
  rollouts: number;
  kills: number;
  restarts: number;
  broken: number;
  leastRequests: number;
}

export interface Played {
  met: Met;
  /** From the begin of the push to the first answer of the new version. */
  deployedMs: number[];
  killedAt: number[];
}

/** Every so many rollouts one goes replica by replica, each of which drains before the next begins. */
const oneByOneEvery = 10;
const mostMs = 240_000;

/** Rollouts, broken images, agents that end or are killed, and replicas that are killed, under load. */
export async function play(
  stage: Stage,
  engine: Engine,
  rounds: Rounds,
  print: (line: string) => void,
): Promise<Played> {
  const port = await freePort();
  const publisher = await openPublisher(stage.registry, repository);
  await publisher.push("v1.0.0");
  const replicas = await openReplicas(stage, engine, port, replicaCount);
  let clients: ReturnType<typeof startClients> | undefined;
  const done = { kills: 0, restarts: 0, broken: 0 };
  const played = { deployedMs: [] as number[], killedAt: [] as number[] };
  let tag = "v1.0.0";
  try {
    await replicas.areAll(tag);
    await isCommitted(tag);
    clients = startClients(`http://127.0.0.1:${port}/`);
    const { met } = clients;
    for (let count = 1; count <= rounds.rollouts; count++) {
      tag = `v1.${count}.0`;
      const isOneByOne = count % oneByOneEvery === 1;
      if (isOneByOne) await replicas.restart("SIGTERM", 1);
      played.deployedMs.push(await deploy(met));
      print(`${tag} answers ${played.deployedMs.at(-1)?.toFixed(0)} ms after the push began`);
      await isCommitted(tag);
      if (isOneByOne) await replicas.restart("SIGKILL", replicaCount);
      const isDue = (kind: keyof typeof done) =>
        done[kind] < Math.floor((count * rounds[kind]) / rounds.rollouts);
      while (isDue("kills")) await kill();
      while (isDue("restarts")) await restart();
      while (isDue("broken")) await failing();
    }
    await until(
      "there were enough requests",
      async () => countOf(met) >= rounds.leastRequests,
      mostMs,
    );
    await clients.stop();
    return { met, ...played };
  } catch (error) {
    print(replicas.log().slice(-5_000));
    throw error;
  } finally {
    await replicas.close();
    await clients?.stop();
    publisher.close();
  }

  async function deploy({ versions }: Met): Promise<number> {
    const began = performance.now();
    await publisher.push(tag);
    await until(`${tag} answers`, async () => versions.has(tag), mostMs);
    return performance.now() - began;
  }

  async function kill(): Promise<void> {
    done.kills++;
    await replicas.areAll(tag);
    played.killedAt.push(await replicas.killOne(tag));
    print(`a replica was killed, and another one runs in its place`);
  }

  async function restart(): Promise<void> {
    const signal = done.restarts++ % 2 === 0 ? "SIGKILL" : "SIGTERM";
    await replicas.restart(signal, replicaCount);
    print(`the agent was ended by ${signal}, and the next one looks after them`);
  }

  async function failing(): Promise<void> {
    const fault = faults[done.broken++ % faults.length] as Fault;
    const bad = `v1.${tag.split(".")[1]}.${done.broken}`;
    await publisher.push(bad, fault);
    const said = new RegExp(`is not tried again by itself.* tag=${bad}\\b`);
    await until(`${bad} is quarantined`, async () => said.test(replicas.log()), mostMs);
    print(`${bad}, which ${fault}, was taken back`);
  }

  function isCommitted(wanted: string): Promise<void> {
    const said = `Container deployment completed" tag=${wanted} `;
    return until(`${wanted} is committed`, async () => replicas.log().includes(said), mostMs);
  }
}
