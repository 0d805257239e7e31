import type { ListedRobot } from "../registry/auth/robot-tokens.ts";

/** The lines of a table of `robots`, under its head; times are in UTC. */
export function robotTable(robots: readonly ListedRobot[], now: Date): string[] {
  const head = ["USER", "REPOSITORIES", "ACTIONS", "CREATED", "EXPIRES", "LAST USE"];
  const rows = robots.map((robot) => [
    robot.user,
    robot.repositories.join(","),
    robot.actions.join(","),
    minuteOf(robot.createdAt),
    endOf(robot, now),
    robot.lastUseAt === undefined ? "-" : minuteOf(robot.lastUseAt),
  ]);
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function endOf({ expiresAt }: ListedRobot, now: Date): string {
  if (expiresAt === undefined) return "never";
  const isOver = Date.parse(expiresAt) <= now.getTime();
  return `${minuteOf(expiresAt)}${isOver ? " (expired)" : ""}`;
}

/** `2026-11-21 09:30Z`. */
const minuteOf = (at: string): string => `${at.slice(0, 10)} ${at.slice(11, 16)}Z`;
