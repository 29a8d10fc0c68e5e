import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { folder, weir } from './weir.ts';

const project = {
  'weir.toml': `[tests.good]
type = "pytest"
pytest = { working-dir = "t", test-paths = ["test_*.py"], extra-args = ["--image", "{image-path}", "--caps={capabilities}"] }
[tests.bad]
type = "pytest"
pytest = { working-dir = "t", test-paths = ["bad.py"] }
[tests.empty]
type = "pytest"
pytest = { working-dir = "t", test-paths = ["none.py"] }
[tests.boots]
type = "pytest"
required-capabilities = ["machine-bootable"]
pytest = { working-dir = "t", test-paths = ["bad.py"] }
[tests.plan]
type = "tmt"
tmt = { plan = "/p", source = { git-url = "https://example.org/t", ref = "${'0'.repeat(40)}" } }
[tests.asks]
type = "pytest"
pytest = { working-dir = "t", test-paths = ["test_*.py"], install = "requirements" }
[images.box]
capabilities = { container = true }
tests.tests = [{ name = "good" }, { name = "bad" }, { name = "empty" }, { name = "boots" }, { name = "plan" }, { name = "asks" }]
`,
  't/conftest.py': `import pytest
def pytest_addoption(parser):
    parser.addoption("--image", default="")
    parser.addoption("--caps", default="")
`,
  't/test_good.py': `import os
def test_image(request):
    assert open(request.config.getoption("--image")).read() == "disk"
    assert request.config.getoption("--caps") == "container"
def test_environment():
    assert os.path.exists(os.path.join(os.environ["VIRTUAL_ENV"], "pyvenv.cfg"))
`,
  't/bad.py': 'def test_a():\n    assert 1 == 2\ndef test_b():\n    pass\n',
  't/none.py': '',
  'disk.raw': 'disk',
};

const hasPytest = spawnSync('python3', ['-c', 'import pytest, venv']).status === 0;

describe.runIf(hasPytest)('weir image test', () => {
  it('runs what it can, says what it could not, and reports all of it', { timeout: 180_000 }, () => {
    const dir = folder(project);
    const before = readdirSync(dir, { recursive: true }).sort();
    const run = weir(['image', 'test', 'box', '-i', 'disk.raw', '--junit-xml', '../report.xml', '--json'], {
      cwd: join(dir, 't'),
    });
    expect(run).toMatchObject({ code: 2, stderr: expect.stringContaining('no such file') });
    const all = weir(['image', 'test', 'box', '-i', 'disk.raw', '--junit-xml', 'report.xml', '--json'], { cwd: dir });
    expect(all.code, all.stderr).toBe(1);
    const { ok, tests } = JSON.parse(all.stdout) as { ok: boolean; tests: Record<string, unknown>[] };
    expect(ok).toBe(false);
    expect(tests).toMatchObject([
      { name: 'good', state: 'passed', cases: { tests: 2, failures: 0, errors: 0, skipped: 0 } },
      { name: 'bad', state: 'failed', reason: '1 of 2 cases failed', cases: { tests: 2, failures: 1 } },
      { name: 'empty', state: 'not checked', reason: 'pytest found no tests' },
      { name: 'boots', state: 'skipped', reason: 'the image does not have: machine-bootable' },
      { name: 'plan', state: 'not checked' },
      {
        name: 'asks',
        state: 'not checked',
        reason: expect.stringMatching(/requirements\.txt: there is no such file$/),
      },
    ]);
    const report = readFileSync(join(dir, 'report.xml'), 'utf8');
    for (const { name } of tests) expect(report).toContain(`<testsuite name="${String(name)}"`);
    expect(existsSync(String(tests[0]!.log))).toBe(true);
    // Neither caches nor compiled files are left in the project.
    expect(readdirSync(dir, { recursive: true }).sort()).toEqual([...before, 'report.xml'].sort());
  });

  it('exits with 0 if the tests that were asked for passed or were skipped', { timeout: 120_000 }, () => {
    const dir = folder(project);
    const run = weir(['image', 'test', 'box', '-i', 'disk.raw', '-t', 'good', '-t', 'boots'], { cwd: dir });
    expect(run.code, run.stderr).toBe(0);
    expect(run.stdout).toMatch(/^good +pytest +passed +2 passed$/m);
    expect(run.stdout).toMatch(/^boots +pytest +skipped +- +the image does not have: machine-bootable$/m);
  });
});
