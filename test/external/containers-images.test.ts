import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { ask } from "../../bench/load.ts";
import { until } from "../../bench/stage.ts";
import { describeWith } from "../component.ts";
import { dockerPrograms, layBed } from "./container-bed.ts";
import { openDocker } from "./container-engine.ts";
import { broken, openImages, serving } from "./container-images.ts";
import { openContainerStage } from "./container-stage.ts";
import { htpasswdFor, openGuarded } from "./guarded-registry.ts";
import { run, temporaryDirectory } from "./program.ts";

describe("images of containers", { timeout: 300_000 }, () => {
  describeWith(...dockerPrograms)("on docker", () => {
    const bed = layBed((atEnd) => openDocker(atEnd));

    it("run as the user they name, with the options after --, which no error repeats", async () => {
      const [stage, other] = [await bed.stage(), await bed.stage()];
      await stage.publish("v1.0.0", { ...serving, User: "1234:1234" });
      await other.publish("v1.0.0");
      const secret = "cGFzc3dvcmQ-of-ours";

      const agent = stage.start(["--", "-e", `TOKEN=${secret}`, "--memory=64m"]);
      await stage.serves("v1.0.0");
      const refused = other.start(["--", "-e", `TOKEN=${secret}`, "--no-such-option", secret]);
      await until("it is refused", async () => refused.log().includes("unknown flag"));

      expect(agent.log() + refused.log()).not.toContain(secret);
      expect(await stage.answer()).toMatch(/ 1234$/);
      const [only] = await stage.containers();
      const format = "{{.HostConfig.Memory}} {{.Config.Env}}";
      const told = await bed.engine.run("inspect", "--format", format, only?.id ?? "");
      expect(told).toContain(`${64 * 1024 * 1024} [TOKEN=${secret}`);
    });

    const ways = {
      "the Docker config": async (host: string) => {
        const directory = await temporaryDirectory("docker-config");
        const auth = Buffer.from("alice:alice-pw").toString("base64");
        const config = { auths: { [host]: { auth } } };
        await writeFile(join(directory, "config.json"), JSON.stringify(config));
        return { ...bed.engine.environment, DOCKER_CONFIG: directory };
      },
      "the Docker config, by an engine that only a context of it names": async (host: string) => {
        const directory = await temporaryDirectory("docker-config");
        const auth = Buffer.from("alice:alice-pw").toString("base64");
        const docker = (...args: string[]) =>
          run("/usr/bin/docker", ["--config", directory, "context", ...args]);
        await docker("create", "ours", "--docker", `host=${bed.engine.host}`);
        await docker("use", "ours");
        const config = { auths: { [host]: { auth } }, currentContext: "ours" };
        await writeFile(join(directory, "config.json"), JSON.stringify(config));
        const { DOCKER_HOST: _, ...environment } = bed.engine.environment;
        return { ...environment, DOCKER_CONFIG: directory };
      },
      "a credential helper": async (host: string) => {
        const directory = await temporaryDirectory("docker-config");
        const config = { credHelpers: { [host]: "ours" } };
        await writeFile(join(directory, "config.json"), JSON.stringify(config));
        const helper = join(directory, "docker-credential-ours");
        const told = JSON.stringify({ Username: "alice", Secret: "alice-pw" });
        await writeFile(helper, `#!/bin/sh\necho '${told}'\n`, { mode: 0o755 });
        const { PATH, ...environment } = bed.engine.environment;
        return { ...environment, PATH: `${directory}:${PATH}`, DOCKER_CONFIG: directory };
      },
      "the environment": async () => ({
        ...bed.engine.environment,
        DOCKER_USERNAME: "alice",
        DOCKER_PASSWORD: "alice-pw",
      }),
    };
    it.each(Object.entries(ways))(
      "of a private registry are listed and pulled with what is in %s",
      async (_, signIn) => {
        const auth = `auth: {htpasswd: {realm: r, path: ${await htpasswdFor("alice")}}}`;
        const { host, address } = await openGuarded(auth);
        const environment = await signIn(host);
        const authorization = `Basic ${Buffer.from("alice:alice-pw").toString("base64")}`;
        await bed.engine.run("login", "--username", "alice", "--password", "alice-pw", host);
        const images = await openImages(bed.engine, address, () => {}, authorization);
        await bed.engine.run("logout", host);
        const stage = await openContainerStage({ ...bed.engine, environment }, images);
        await stage.publish("v1.0.0");

        const agent = stage.start();

        await stage.serves("v1.0.0");
        expect(agent.log()).not.toContain("alice-pw");
      },
    );

    it("are chosen from an index by their platform, and pulled by digest though the tag moves", async () => {
      const stage = await bed.stage();
      await bed.images.publishIndex(stage.repository, "v1.0.0");
      const agent = stage.start();
      await stage.serves("v1.0.0");
      await stage.committed("v1.0.0");
      const [{ id } = { id: "" }] = await stage.containers();
      await agent.stop();
      await stage.publish("v1.0.0", broken);
      await bed.engine.run("rm", "--force", id);

      stage.start();

      await stage.serves("v1.0.0");
    });

    it("without a word about ports are served on the only one that they expose", async () => {
      const stage = await bed.stage();
      const port = await freePort();
      const ExposedPorts = { [`${port}/tcp`]: {}, "53/udp": {} };
      await stage.publish("v1.0.0", { ...serving, Env: [`PORT=${port}`], ExposedPorts });

      const agent = stage.startWith([]);

      await until("it answers", async () => {
        return (await ask(`http://127.0.0.1:${port}/`)).body.startsWith("v1.0.0 ");
      });
      expect(agent.log()).toMatch(/served on the same port of this host" tag=v1.0.0 exposed=\d+/);
    });

    it("that expose several ports are served on none of them, and that is said", async () => {
      const stage = await bed.stage();
      const ExposedPorts = { "8080/tcp": {}, "9090/tcp": {} };
      await stage.publish("v1.0.0", { ...serving, ExposedPorts });

      const agent = stage.startWith(["--min-uptime", "1"]);

      await stage.committed("v1.0.0");
      expect(agent.log()).toMatch(/level=WARN msg="The image exposes several ports.*8080,9090/);
    });

    it("without ports are proved by their HEALTHCHECK, and else by staying up", async () => {
      const stage = await bed.stage();
      const worker = { Cmd: ["sleep", "1000"] };
      await stage.publish("v1.0.0", worker);
      const options = ["--min-uptime", "1", "--health-timeout", "5", "--failure-limit", "1"];
      const agent = stage.startWith(options);
      await stage.committed("v1.0.0");
      const Interval = 300_000_000;
      const check = (word: string) => ({
        ...worker,
        Healthcheck: { Test: ["CMD", "sh", "-c", word], Interval, Retries: 1 },
      });

      await stage.publish("v1.1.0", check("exit 0"));
      await stage.committed("v1.1.0");
      await stage.publish("v1.2.0", check("exit 1"));
      await until("it is quarantined", async () => !!(await stage.ledger()).quarantined?.length);

      const { quarantined = [], active } = await stage.ledger();
      expect(active?.tag).toBe("v1.1.0");
      expect(quarantined[0]?.reason).toContain("HEALTHCHECK says");
      expect(agent.log()).toContain("exposes no port, and runs as a worker");
    });

    it("are known in a network by the alias, once they are ready", async () => {
      const stage = await bed.stage();
      const network = `net-${process.pid}`;
      await bed.engine.run("network", "create", network);
      await stage.publish("v1.0.0");
      const alias = ["--network", network, "--network-alias", "app"];
      const options = ["--replicas", "2", ...alias];
      stage.startWith(options);
      await stage.committed("v1.0.0");
      const base = `${bed.images.host}/base:v0`;
      const asking = ["run", "--rm", "--network", network, "--env", "PATH=/bin", base];
      const answer = () => bed.engine.run(...asking, "wget", "-qO-", "http://app:8080/");

      expect(await answer()).toMatch(/^v1\.0\.0 /);
      await stage.publish("v1.1.0");
      await stage.committed("v1.1.0");
      await stage.runs("v1.1.0", 2);

      expect(await answer()).toMatch(/^v1\.1\.0 /);
      const [one] = await stage.containers();
      expect(one?.published).toBeUndefined();
    });

    it("stay connected to that network when another agent adopts them", async () => {
      const stage = await bed.stage();
      const network = `kept-${process.pid}`;
      await bed.engine.run("network", "create", network);
      await stage.publish("v1.0.0");
      const options = ["--replicas", "2", "--network", network, "--network-alias", "app"];
      const agent = stage.startWith(options);
      await stage.committed("v1.0.0");
      const ends = async () => {
        const ids = (await stage.containers()).map(({ id }) => id);
        const format = "{{.Id}} {{range .NetworkSettings.Networks}}{{.EndpointID}}{{end}}";
        return await bed.engine.run("inspect", "--format", format, ...ids);
      };
      const before = await ends();

      await agent.stop();
      const next = stage.startWith(options);
      await until("both are adopted", async () => {
        return next.log().split("Container adopted").length === 3;
      });

      expect(await ends()).toBe(before);
    });

    it("beyond seven are removed, and none that anybody uses", async () => {
      const stage = await bed.stage();
      const name = `${bed.images.host}/${stage.repository}`;
      const list = async () => {
        const args = ["images", "--digests", "--format", "{{.Digest}}", name];
        return (await bed.engine.run(...args)).split("\n").filter(Boolean);
      };
      const used = await stage.publish("v0.0.1");
      await bed.engine.run("pull", "--quiet", `${name}@${used}`);
      const ended = ["run", "--detach", `${name}@${used}`, "sh", "-c", "exit 0"];
      const id = await bed.engine.run(...ended);
      const theirs = `theirs-${stage.repository}`;
      for (let count = 2; count < 10; count++) {
        const digest = await stage.publish(`v0.0.${count}`);
        await bed.engine.run("pull", "--quiet", `${name}@${digest}`);
        await bed.engine.run("tag", `${name}@${digest}`, `${theirs}:${count}`);
      }
      await stage.publish("v1.0.0");

      const agent = stage.start();
      await until("some are removed", async () => agent.log().includes("Image removed"));
      await stage.committed("v1.0.0");

      await until("seven are left, and what is used", async () => (await list()).length <= 8);
      expect(await list()).toContain(used);
      const format = "{{.Repository}}:{{.Tag}}";
      const named = (await bed.engine.run("images", "--format", format, theirs)).split("\n");
      expect(named).toHaveLength(8);
      expect(await bed.engine.run("ps", "--all", "--quiet", "--no-trunc")).toContain(id);
      await stage.serves("v1.0.0");
      await bed.engine.run("rm", "--force", id);
      await bed.engine.run("rmi", ...named);
    });
  });
});
