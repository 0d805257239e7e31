import { describe, expect, it } from "vitest";
import { parseRunOptions } from "./run-options.ts";

const parsed = (line: string) => parseRunOptions(line.split(" "));

describe("parseRunOptions", () => {
  it.each([
    ["-e A=1", ["-e", "A=1"]],
    ["-eA=1", ["-e", "A=1"]],
    ["-e -p=1", ["-e", "-p=1"]],
    ["-e --privileged", ["-e", "--privileged"]],
    ["--env=A=--privileged", ["--env=A=--privileged"]],
    ["--memory 64m --cpus=0.5", ["--memory", "64m", "--cpus=0.5"]],
    ["--init --read-only", ["--init", "--read-only"]],
    ["-v /data:/data -u 1000", ["-v", "/data:/data", "-u", "1000"]],
    ["--label team=web -l a=b", ["--label", "team=web", "-l", "a=b"]],
    ["--restart on-failure", ["--restart", "on-failure"]],
    ["--rm --init", ["--init"]],
    ["--something-new on -e A=1", ["--something-new", "on", "-e", "A=1"]],
    ["--something-new -e A=1", ["--something-new", "-e", "A=1"]],
  ])("takes %s", (line, options) => {
    expect(parsed(line)).toEqual({ options, name: undefined });
  });

  it("takes the name of the containers out, the last one when there are several", () => {
    expect(parsed("--name web -e A=1 --name=api")).toEqual({ options: ["-e", "A=1"], name: "api" });
  });

  it.each([
    ["-d", /--detach/],
    ["-qd", /--detach/],
    ["-it", /--interactive/],
    ["-p 80:80", /--publish/],
    ["-P", /--publish-all/],
    ["--publish=80", /--publish/],
    ["--privileged", /--privileged/],
    ["--privileged=true", /--privileged/],
    ["--pid host", /--pid/],
    ["--cap-add NET_ADMIN", /--cap-add/],
    ["--security-opt seccomp=unconfined", /--security-opt/],
    ["--device /dev/sda", /--device/],
    ["--userns=host", /--userns/],
    ["--cgroupns host", /--cgroupns/],
    ["--label-file labels", /--label-file/],
    ["--label dewy.app=x", /dewy\./],
    ["-ldewy.app=x", /dewy\./],
    ["-l dewy.version", /dewy\./],
    ["--name -x", /--name/],
    ["nginx", /nginx/],
    ["-e A=1 nginx", /nginx/],
    ["-e", /-e has no value/],
    ["-z", /-z/],
    ["--", /--/],
  ])("refuses %s", (line, message) => {
    expect(() => parsed(line)).toThrow(message);
  });
});
