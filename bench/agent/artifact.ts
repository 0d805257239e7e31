import { randomBytes } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { publish } from "../publish.ts";
import { openStage, run as runDewy, until } from "../stage.ts";
import { archivePath, packLarge, packScript } from "./archive.ts";
import { forgetPeak, memoryOf } from "./process-figures.ts";

const mebibyte = 1024 ** 2;
export const artifactMebibytes = 512;
export const mostAddedMb = 32;
const settleMs = 10_000;

export interface ArtifactFigures {
  idleMb: number;
  peakMb: number;
}

/** The memory of an agent while it fetches, checks and unpacks 512 MiB, over what it has when idle. */
export async function measureArtifact(): Promise<ArtifactFigures> {
  const stage = await openStage();
  const { directory, registry } = stage;
  try {
    const [small, large] = ["v1.0.0", "v1.1.0"].map((tag) => archivePath(directory, tag));
    if (small === undefined || large === undefined) throw new Error("there are no archives");
    await packScript(small, "#!/bin/sh\n");
    await packLarge(large, artifactMebibytes * mebibyte, randomBytes(mebibyte));
    await publish(registry, small, { repositories: ["app"], tags: ["v1.0.0"] });
    const command = ["assets", "--registry", `img://${registry}/app`, "-i", "1", "-d", "app"];
    const agent = runDewy(command, directory);
    try {
      const pid = agent.process.pid ?? 0;
      const current = join(directory, "app", "current");
      await until("v1.0.0 is there", () => stat(join(current, "app.sh")).then(Boolean));
      await sleep(settleMs);
      const { nowMb: idleMb } = await memoryOf(pid);
      await forgetPeak(pid);
      await publish(registry, large, { repositories: ["app"], tags: ["v1.1.0"] });
      await until("v1.1.0 is there", () => stat(join(current, "large")).then(Boolean), 300_000);
      const { peakMb } = await memoryOf(pid);
      return { idleMb, peakMb };
    } finally {
      await agent.stop();
    }
  } finally {
    await stage.close();
  }
}
