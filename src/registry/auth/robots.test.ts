import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { passwordAuthenticator } from "./accounts.ts";
import { authenticatorContract } from "./authenticator.contract.ts";
import { LoginLimit } from "./login-limit.ts";
import { codeOf, hash, ownGate, requestWith } from "./own-tokens.fake.ts";
import { type RobotWish, robotTokensIn } from "./robot-tokens.ts";
import { openRobots, robotPathsOf } from "./robots.ts";
import { basic, bearer, pullApp, pushApp, visitWith } from "./visit.fake.ts";

const hour = 3_600_000;
let password: string;
authenticatorContract("robots", {
  async open() {
    const { accounts, robots } = await stage();
    password = (await robots.create({ ...pullTeam, name: "ci" })).password.reveal();
    return passwordAuthenticator(accounts, "r");
  },
  good: () => basic("robot$ci", password),
  bad: [
    ...["", "dewy_robot_", hash].map((wrong) => basic("robot$ci", wrong)),
    ...["robot$", "robot$other", "ci", "robot$ci\0", "robot$../robots/ci"].map((user) =>
      basic(user, "password"),
    ),
    bearer("x"),
  ],
});

describe("a robot", () => {
  it("may do what it is for, and what is open to all", async () => {
    const { gate, robots, call } = await ownGate();
    const { user, password } = await robots.create({ ...pullTeam, name: "ci" });
    const shown = basic(user, password.reveal());
    const outcome = (wish: typeof pullApp) =>
      gate.admit(visitWith(shown, { wishes: [wish] }), call).then(() => "in", codeOf);

    expect(await outcome(pullApp)).toBe("in");
    expect(await outcome({ ...pullApp, name: "public/app" })).toBe("in");
    expect(await outcome(pushApp)).toBe("DENIED");
    expect(await outcome({ ...pullApp, name: "other/app" })).toBe("DENIED");
  });

  it("may do no more than that where everybody else may do everything", async () => {
    const { gate, robots, call } = await ownGate({ access: undefined, tokenserver: undefined });
    const { user, password } = await robots.create({ ...pullTeam, name: "ci" });

    const visit = visitWith(basic(user, password.reveal()), { wishes: [pushApp] });

    await expect(gate.admit(visit, call)).rejects.toMatchObject({ code: "DENIED" });
  });

  it("is known at once, and gone at once, with its tokens within a second", async () => {
    const { gate, tokens, robots, call, clock } = await ownGate();
    const { user, password } = await robots.create({ ...pullTeam, name: "ci" });
    const credentials = basic(user, password.reveal());
    const { token, refreshToken } = await tokens.issue(
      requestWith({ credentials, offline: true }),
      call,
    );
    const shown = visitWith(bearer(token.reveal()));
    expect((await gate.admit(shown, call)).user).toBe("robot$ci");

    await robots.revoke("robot$ci");
    await expect(gate.admit(visitWith(credentials), call)).rejects.toThrow();
    await clock.advance(1_000);

    const refresh = { scheme: "refresh", token: refreshToken ?? token } as const;
    expect(await gate.admit(shown, call).catch(codeOf)).toBe("CREDENTIALS_REFUSED");
    expect(await tokens.issue(requestWith({ credentials: refresh }), call).catch(codeOf)).toBe(
      "CREDENTIALS_REFUSED",
    );
  });

  it("does not come back by the tokens of a namesake that was revoked", async () => {
    const { gate, tokens, robots, call, clock } = await ownGate();
    const { user, password } = await robots.create({ ...pullTeam, name: "ci" });
    const credentials = basic(user, password.reveal());
    const { token } = await tokens.issue(requestWith({ credentials }), call);

    await robots.revoke("ci");
    await robots.create({ ...pullTeam, name: "ci" });
    await clock.advance(1_000);

    const visit = visitWith(bearer(token.reveal()));
    expect(await gate.admit(visit, call).catch(codeOf)).toBe("CREDENTIALS_REFUSED");
  });

  it("ends when its time is over, to the second, with its tokens", async () => {
    const { gate, tokens, robots, call, clock, logger } = await ownGate();
    const { user, password } = await robots.create({
      ...pullTeam,
      expiresInMs: 90_000,
      name: "ci",
    });
    const credentials = basic(user, password.reveal());
    const issued = await tokens.issue(requestWith({ credentials }), call);
    expect(issued.expiresInSeconds).toBe(90);

    await clock.advance(89_999);
    const shown = visitWith(bearer(issued.token.reveal()));
    expect((await gate.admit(shown, call)).user).toBe("robot$ci");
    await clock.advance(1);

    expect(await gate.admit(shown, call).catch(codeOf)).toBe("CREDENTIALS_REFUSED");
    expect(await gate.admit(visitWith(credentials), call).catch(codeOf)).toBe(
      "CREDENTIALS_REFUSED",
    );
    const failures = logger.lines.filter(({ message }) => message === "login failed");
    expect(failures.at(-1)?.fields).toMatchObject({ user, reason: "the robot's time is over" });
    expect(JSON.stringify(logger.lines)).not.toContain(password.reveal());
  });

  it("is slowed down as everybody is who guesses", async () => {
    const { gate, robots, call } = await ownGate({ failedlogins: { attempts: 1 } });
    const { user, password } = await robots.create({ ...pullTeam, name: "ci" });
    const attempt = (shown: string) =>
      gate.admit(visitWith(basic(user, shown)), call).then(() => "in", codeOf);

    expect([await attempt("guess"), await attempt(password.reveal())]).toEqual([
      ...["CREDENTIALS_REFUSED", "TOO_MANY_FAILURES"],
    ]);
  });

  it("leaves a user of the htpasswd file the name that it has", async () => {
    const { gate, robots, call, htpasswd, clock } = await ownGate();
    const { password } = await robots.create({ ...pullTeam, name: "ci" });
    await writeFile(htpasswd, `robot$ci:${hash}\n`);
    await clock.advance(1_000);
    const as = (shown: string) =>
      gate
        .admit(visitWith(basic("robot$ci", shown), { wishes: [] }), call)
        .then(() => "in", codeOf);

    expect([await as("password"), await as(password.reveal())]).toEqual([
      ...["in", "CREDENTIALS_REFUSED"],
    ]);
  });
});

describe("the directory of robots", () => {
  it("keeps no password, and can be read by whoever can read the htpasswd file", async () => {
    const { robots, paths, htpasswd } = await stage();

    const { password } = await robots.create({ ...pullTeam, name: "ci" });

    const files = await readdir(paths.directory);
    expect(files).toEqual(["ci.json"]);
    const [{ mode }, own] = [await stat(join(paths.directory, "ci.json")), await stat(htpasswd)];
    expect(mode).toBe(own.mode);
    const { robots: listed } = await robots.list();
    expect(JSON.stringify(listed)).not.toContain(password.reveal());
    expect(listed).toEqual([
      {
        ...{ user: "robot$ci", name: "ci", repositories: ["team/*"], actions: ["pull"] },
        ...{ createdAt: "2026-11-21T10:00:00.000Z", expiresAt: "2026-11-21T11:00:00.000Z" },
      },
    ]);
  });

  it("lets one of many have a name, and loses none of them", async () => {
    const { robots, paths } = await stage();
    const names = ["a", "b", "a", "c", "a", "b", "d", "a"];

    const outcomes = await Promise.all(
      names.map((name) => robots.create({ ...pullTeam, name }).then(() => "made", codeOf)),
    );

    expect(outcomes.filter((outcome) => outcome === "made")).toHaveLength(4);
    expect(outcomes.filter((outcome) => outcome === "EXISTS")).toHaveLength(4);
    expect((await readdir(paths.directory)).sort()).toEqual(
      ["a", "b", "c", "d"].map((n) => `${n}.json`),
    );
  });

  it.each(["", "A", "-a", "a/b", "../a", "a\0", "robot$robot$a", "a".repeat(65)])(
    "takes no robot called %j",
    async (name) => {
      const { robots } = await stage();

      await expect(robots.create({ ...pullTeam, name })).rejects.toMatchObject({
        code: "INVALID_NAME",
        hint: expect.any(String),
      });
      await expect(robots.revoke(name)).rejects.toMatchObject({ code: "INVALID_NAME" });
    },
  );

  it("revokes none that is not there", async () => {
    const { robots } = await stage();

    await expect(robots.revoke("ci")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("passes over what is broken, says so, and serves the others", async () => {
    const { robots, paths, accounts, logger } = await stage();
    const { user, password } = await robots.create({ ...pullTeam, name: "ci" });
    await robots.create({ ...pullTeam, name: "moved" });
    await rename(join(paths.directory, "moved.json"), join(paths.directory, "other.json"));
    await writeFile(join(paths.directory, "broken.json"), "{hunter22");
    await writeFile(join(paths.directory, "large.json"), "x".repeat(100_000));

    const account = await accounts.logIn(basic(user, password.reveal()), "a", call);

    expect(account.user).toBe(user);
    const { robots: listed, problems } = await robots.list();
    expect(listed.map(({ name }) => name)).toEqual(["ci"]);
    expect(problems.map(({ file }) => file)).toEqual(["broken.json", "large.json", "other.json"]);
    expect(JSON.stringify([logger.lines, problems])).not.toContain("hunter22");
    expect(logger.lines.filter(({ message }) => message.includes("passed over"))).toHaveLength(3);
  });

  it("does not open where it is no directory", async () => {
    const { paths, open } = await stage();
    await writeFile(paths.directory, "");

    await expect(open()).rejects.toMatchObject({ code: "UNAVAILABLE", hint: expect.any(String) });
  });
});

describe("the last use of a robot", () => {
  it("is kept when it logs in, of several servers the latest", async () => {
    const { robots, accounts, clock, open } = await stage();
    const { user, password } = await robots.create({ ...pullTeam, name: "ci" });
    const credentials = basic(user, password.reveal());
    const lastUse = async () => (await robots.list()).robots[0]?.lastUseAt;
    expect(await lastUse()).toBeUndefined();

    await accounts.logIn(credentials, "a", call);
    await expect.poll(lastUse).toBe("2026-11-21T10:00:00.000Z");
    const other = await open();
    await clock.advance(30_000);
    await accounts.logIn(credentials, "a", call);
    await clock.advance(30_000);
    await other.logIn(credentials, "a", call);
    await other.close();
    await accounts.close();

    expect(await lastUse()).toBe("2026-11-21T10:01:00.000Z");
  });

  it("is not that of a namesake before it", async () => {
    const { robots, accounts, clock } = await stage();
    const { user, password } = await robots.create({ ...pullTeam, name: "ci" });
    await accounts.logIn(basic(user, password.reveal()), "a", call);
    await accounts.close();
    await robots.revoke("ci");
    await clock.advance(1_000);

    await robots.create({ ...pullTeam, name: "ci" });

    expect((await robots.list()).robots[0]?.lastUseAt).toBeUndefined();
  });

  it("keeps nobody out where it cannot be written", async () => {
    const { robots, accounts, paths, logger } = await stage();
    const { user, password } = await robots.create({ ...pullTeam, name: "ci" });
    await mkdir(paths.uses);

    for (let time = 0; time < 2; time++) {
      await accounts.logIn(basic(user, password.reveal()), "a", call);
    }
    await accounts.close();

    expect(logger.lines.map(({ message }) => message)).toEqual([
      "the last use of robots is not kept",
    ]);
  });
});

const call = { signal: AbortSignal.timeout(60_000) };

const pullTeam: Omit<RobotWish, "name"> = {
  repositories: ["team/*"],
  actions: ["pull"],
  expiresInMs: hour,
};

async function stage() {
  const directory = await mkdtemp(join(tmpdir(), "dewy-robots-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const htpasswd = join(directory, "htpasswd");
  await writeFile(htpasswd, "", { mode: 0o640 });
  const clock = new FakeClock(new Date("2026-11-21T10:00:00Z"));
  const logger = new FakeLogger();
  const paths = robotPathsOf(undefined, htpasswd);
  const limit = new LoginLimit({ disabled: false, attempts: 10 }, clock);
  const open = () => openRobots(paths, { clock, logger, limit, anonymousRules: [] });
  const accounts = await open();
  const robots = robotTokensIn(paths, { htpasswd, clock });
  return { accounts, robots, paths, htpasswd, clock, logger, open };
}
