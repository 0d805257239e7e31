import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { planned } from "../main.fake.ts";

it("makes a robot, shows it without its password, and revokes it", async () => {
  const { dewy } = await stage();

  const made = await dewy(
    "create --repository team/*,base --action pull,push --name ci config.yml",
  );
  const listed = await dewy("list config.yml");
  const revoked = await dewy("revoke robot$ci config.yml");

  expect(made).toMatchObject({ status: 0, noted: [expect.stringContaining("'robot$ci'")] });
  const [user, password = ""] = made.printed.map((line) => line.split(/\s+/)[1]);
  expect(user).toBe("robot$ci");
  expect(password).toMatch(/^dewy_robot_[\w-]{43}$/);
  expect(listed.printed).toHaveLength(2);
  expect(listed.printed[1]).toMatch(
    /^robot\$ci +team\/\*,base +pull,push +\d{4}-\d\d-\d\d \d\d:\d\dZ +\d{4}-\d\d-\d\d \d\d:\d\dZ +-$/,
  );
  expect(listed.printed.join()).not.toContain(password);
  expect(revoked).toMatchObject({ status: 0, noted: ["dewy: robot$ci is revoked"] });
  expect((await dewy("list config.yml")).printed).toHaveLength(1);
});

it("prints JSON for programs, and makes up a name", async () => {
  const { dewy } = await stage();

  const made = await dewy("create --repository ** --expires never --json config.yml");
  const listed = await dewy("list --json config.yml");

  const { user, ...rest } = JSON.parse(made.printed[0] ?? "");
  expect(user).toMatch(/^robot\$r[0-9a-z]{8}$/);
  expect(Object.keys(rest)).toEqual(["password"]);
  const [robot] = JSON.parse(listed.printed[0] ?? "");
  expect(robot).toMatchObject({ user, repositories: ["**"], actions: ["pull"] });
  expect(robot).not.toHaveProperty("hash");
  expect(robot).not.toHaveProperty("expiresAt");
});

it("finds the configuration as the registry does", async () => {
  const { dewy } = await stage();

  const { status, printed } = await dewy("list", { REGISTRY_CONFIGURATION_PATH: "config.yml" });

  expect([status, printed.length]).toEqual([0, 1]);
});

it.each([
  ["create config.yml", "--repository: say where"],
  ["create --repository Team config.yml", "--repository: write a repository"],
  ["create --repository a --action fly config.yml", "--action: write some of"],
  ["create --repository a --expires soon config.yml", "--expires: write a duration"],
  ["create --repository a --expires 0s config.yml", "--expires: write a duration of at least"],
  ["create --repository a --expires 99999999d config.yml", "--expires: write never"],
  ["create --repository a --name UP config.yml", "not a name of a robot: UP"],
  ["create --repository a --name ../up config.yml", "not a name of a robot: ../up"],
  ["create --repository a open.yml", "set auth.htpasswd"],
  ["create --repository a missing.yml", "missing.yml cannot be read"],
  ["create --repository a", "set auth.htpasswd"],
  ["list config.yml more.yml", "too many arguments"],
  ["list open.yml", "set auth.htpasswd"],
  ["revoke", "name the robot"],
  ["revoke nobody config.yml", "there is no robot nobody"],
  ["revoke ../ci config.yml", "not a name of a robot: ../ci"],
])("refuses %j", async (line, expected) => {
  const { dewy } = await stage();

  const { status, noted, printed } = await dewy(line);

  expect(noted).toEqual([expect.stringContaining(expected)]);
  expect([status, printed]).toEqual([2, []]);
});

it("makes no second robot of a name", async () => {
  const { dewy } = await stage();
  await dewy("create --repository a --name ci config.yml");

  const { status, noted } = await dewy("create --repository b --name ci config.yml");

  expect([status, noted]).toEqual([2, [expect.stringContaining("revoke it first")]]);
});

it("marks a robot whose time is over", async () => {
  const { dewy } = await stage();
  await dewy("create --repository a --expires 1s --name ci config.yml");

  await expect
    .poll(async () => (await dewy("list config.yml")).printed[1], { timeout: 10_000 })
    .toContain("(expired)");
});

async function stage() {
  const directory = await mkdtemp(join(tmpdir(), "dewy-robot-cli-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const head = "version: 0.1\nstorage: {inmemory: {}}\n";
  await writeFile(join(directory, "open.yml"), head);
  await writeFile(
    join(directory, "config.yml"),
    `${head}auth: {htpasswd: {realm: R, path: htpasswd}}\n`,
  );
  const dewy = (line: string, environment = {}) =>
    planned(["registry", "token", ...line.split(" ")], { directory, environment });
  return { dewy };
}
