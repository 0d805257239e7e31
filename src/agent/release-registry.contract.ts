import { beforeEach, describe, expect, it } from "vitest";
import { collect } from "../base/bytes.ts";
import type { Artifact, AuditRecord, DeploymentReport, ReleaseRegistry } from "./release.ts";

/** Where the driver's registry can be made to announce something. */
export interface ContractSetting {
  registry: ReleaseRegistry;
  /** The same place, as another host sees it. */
  another(): Promise<ReleaseRegistry>;
  /** Announces `tag` with these files, or replaces what it had. */
  publish(tag: string, files: Readonly<Record<string, string>>): void;
  /** Makes the server refuse whatever is asked from now on. */
  refuse(status: number, headers?: Record<string, string>): void;
  /** How many requests there were that are counted against a limit. */
  countedRequests(): number;
  /** What must not be seen anywhere. */
  secret: string;
}

/** What a registry cannot do by its nature. */
export interface ContractLimits {
  /** It announces the last published release with its first file, and no more. */
  announces: "everything" | "one file";
  tellsSize: boolean;
  keepsAudits: boolean;
}

const everything = { announces: "everything", tellsSize: true, keepsAudits: true } as const;

/** What every release registry must do. A driver's test calls this, then adds what only it promises. */
export function releaseRegistryContract(
  driver: string,
  set: () => Promise<ContractSetting>,
  { announces, tellsSize, keepsAudits }: ContractLimits = everything,
): void {
  const announced = <Item>(...items: Item[]) =>
    announces === "everything" ? items : items.slice(0, 1);

  describe(`${driver} is a ReleaseRegistry`, () => {
    let setting: ContractSetting;
    beforeEach(async () => {
      setting = await set();
    });

    it("announces every tag", async ({ signal }) => {
      setting.publish("v1.0.0", { "app.tar.gz": "one" });
      setting.publish("v1.1.0-rc.1", { "app.tar.gz": "two" });

      const tags = await setting.registry.tags({ signal });

      expect([...tags].sort()).toEqual(announced("v1.1.0-rc.1", "v1.0.0").sort());
    });

    it("describes the files of a release, and hands out their bytes", async ({ signal }) => {
      setting.publish("v1.0.0", { "app.tar.gz": "the bytes", "other.zip": "x" });
      await setting.registry.tags({ signal });

      const release = await setting.registry.release("v1.0.0", { signal });

      expect(release?.tag).toBe("v1.0.0");
      expect(release?.publishedAt).toEqual(new Date("2026-01-01T00:00:00Z"));
      expect(release?.artifacts.map(({ name }) => name)).toEqual(
        announced("app.tar.gz", "other.zip"),
      );
      expect(release?.artifacts[0]?.sizeBytes).toBe(tellsSize ? 9 : undefined);
      expect(await bytesOf(artifactIn(release?.artifacts), 0, signal)).toEqual([0, "the bytes"]);
    });

    it("goes on where a download broke off, and starts over where that cannot be", async ({
      signal,
    }) => {
      setting.publish("v1.0.0", { "app.tar.gz": "0123456789" });
      await setting.registry.tags({ signal });
      const release = await setting.registry.release("v1.0.0", { signal });
      const artifact = artifactIn(release?.artifacts);

      expect(await bytesOf(artifact, 4, signal)).toEqual([4, "456789"]);
      expect(await bytesOf(artifact, 10, signal)).toEqual([0, "0123456789"]);
    });

    it("knows nothing of a tag that is not there", async ({ signal }) => {
      setting.publish("v1.0.0", { "app.tar.gz": "one" });
      await setting.registry.tags({ signal });

      expect(await setting.registry.release("v9.9.9", { signal })).toBeUndefined();
    });

    it("tells by the identity that a tag was published again", async ({ signal }) => {
      const { registry } = setting;
      setting.publish("v1.0.0", { "app.tar.gz": "one" });
      await registry.tags({ signal });
      const before = await registry.release("v1.0.0", { signal });
      await registry.tags({ signal });
      const same = await registry.release("v1.0.0", { signal });

      setting.publish("v1.0.0", { "app.tar.gz": "two" });
      await registry.tags({ signal });
      const after = await registry.release("v1.0.0", { signal });

      expect(same?.artifacts[0]?.identity).toBe(before?.artifacts[0]?.identity);
      expect(after?.artifacts[0]?.identity).not.toBe(before?.artifacts[0]?.identity);
    });

    it("costs nothing that is counted while nothing changes", async ({ signal }) => {
      const { registry } = setting;
      setting.publish("v1.0.0", { "app.tar.gz": "one" });
      await registry.tags({ signal });
      await registry.release("v1.0.0", { signal });
      const before = setting.countedRequests();

      for (let poll = 0; poll < 5; poll++) {
        await registry.tags({ signal });
        await registry.release("v1.0.0", { signal });
      }

      expect(setting.countedRequests()).toBe(before);
    });

    it.each([
      [401, "UNAUTHORIZED"],
      [403, "UNAUTHORIZED"],
      [404, "NOT_FOUND"],
      [429, "RATE_LIMITED"],
      [500, "UNAVAILABLE"],
      [503, "UNAVAILABLE"],
    ])("says of an answer of %i that it is %s, and what to do", async (status, code) => {
      const { signal } = new AbortController();
      setting.refuse(status, { "retry-after": status === 429 ? "7" : "" });

      const error = await setting.registry.tags({ signal }).catch((thrown) => thrown);

      expect(error).toMatchObject({ name: "ReleaseRegistryError", code });
      expect(error.message).toContain(setting.registry.name);
      expect(error.hint).toBeTruthy();
      if (status === 429) expect(error.retryAfterMs).toBe(7000);
    });

    if (keepsAudits) keepsRecord();

    it("shows no secret in its name", () => {
      expect(setting.registry.name).not.toContain(setting.secret);
    });

    it("stops when told to", async () => {
      const signal = AbortSignal.abort();

      await expect(setting.registry.tags({ signal })).rejects.toBe(signal.reason);
    });

    function keepsRecord(): void {
      it("keeps record of deployments, and finds them again", async ({ signal }) => {
        const { registry } = setting;
        setting.publish("v1.0.0", { "app.tar.gz": "one" });
        setting.publish("v1.1.0", { "app.tar.gz": "two" });
        const first = await deployed("v1.0.0", signal);
        const second = {
          ...(await deployed("v1.1.0", signal)),
          host: "Web-2",
          command: "assets",
        } as const;

        await registry.report?.(first, { signal });
        await registry.report?.(second, { signal });
        await registry.report?.({ ...first, host: "web-3", error: "it broke" }, { signal });

        const { at } = first;
        expect(await auditsOf(await setting.another(), signal)).toEqual([
          { host: "web-2", command: "assets", tag: "v1.1.0", at },
          { host: "web-1", command: "server", tag: "v1.0.0", at },
        ]);
      });

      it("takes no record of a deployment for an artifact", async ({ signal }) => {
        const { registry } = setting;
        setting.publish("v1.0.0", { "app.tar.gz": "one" });
        const report = await deployed("v1.0.0", signal);
        await registry.report?.(report, { signal });

        const other = await setting.another();

        expect([...(await other.tags({ signal }))].filter((tag) => tag.startsWith("v"))).toEqual([
          "v1.0.0",
        ]);
        const release = await other.release("v1.0.0", { signal });
        expect(release?.artifacts).toMatchObject([
          { name: "app.tar.gz", identity: report.identity },
        ]);
      });
    }

    async function deployed(tag: string, signal: AbortSignal): Promise<DeploymentReport> {
      await setting.registry.tags({ signal });
      const release = await setting.registry.release(tag, { signal });
      const { identity } = artifactIn(release?.artifacts);
      const at = new Date("2026-01-02T03:04:05.678Z");
      return { tag, identity, command: "server", host: "web-1", at, error: undefined };
    }

    async function bytesOf(artifact: Artifact, from: number, signal: AbortSignal) {
      const opened = await setting.registry.open(artifact, { signal, from });
      return [opened.from, (await collect(opened.bytes, 1e6)).toString()];
    }
  });
}

async function auditsOf(registry: ReleaseRegistry, signal: AbortSignal): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
  for await (const record of registry.audits?.({ signal }) ?? []) records.push(record);
  return records;
}

function artifactIn(artifacts: readonly Artifact[] = []): Artifact {
  const artifact = artifacts.find(({ name }) => name === "app.tar.gz");
  if (!artifact) throw new Error("there is no app.tar.gz");
  return artifact;
}
