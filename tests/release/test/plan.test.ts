import { describe, expect, it } from 'vitest';
import { capabilityNames, filledArgument, plannedTests } from '../../../src/release/test/plan.ts';
import { load } from '../../project/fixture.ts';

const config = `
[tests.boots]
type = "pytest"
required-capabilities = ["machine-bootable", "systemd"]
pytest = { test-paths = ["a.py"] }
[tests.files]
type = "pytest"
pytest = { test-paths = ["b.py"] }
[tests.plan]
type = "tmt"
tmt = { plan = "/p", source = { git-url = "https://example.org/t", ref = "${'0'.repeat(40)}" } }
[test-groups.all]
tests = [{ name = "files" }, { name = "plan" }]
[images.box]
capabilities = { container = true, runtime-package-management = true, systemd = false }
properties = { a = "{image-name}" }
tests.tests = [{ name = "plan" }, { group = "all" }, { name = "boots" }]
[images.bare]
`;
const image = async (name: string) => {
  const project = await load(config);
  return { project, image: project.images.get(name)! };
};

describe('the tests of an image', () => {
  it('are each planned once, in its order, with what the image lacks', async () => {
    const { project, image: box } = await image('box');
    const planned = plannedTests(project, box, []);
    expect(planned.map(({ name, type, lacks }) => ({ name, type, lacks }))).toEqual([
      { name: 'plan', type: 'tmt', lacks: [] },
      { name: 'files', type: 'pytest', lacks: [] },
      { name: 'boots', type: 'pytest', lacks: ['machine-bootable', 'systemd'] },
    ]);
    expect(plannedTests(project, box, ['files']).map(({ name }) => name)).toEqual(['files']);
  });

  it('are named where none is known', async () => {
    const { project, image: box } = await image('box');
    expect(() => plannedTests(project, box, ['file'])).toThrow('image box has no test file');
    const { image: bare } = await image('bare');
    expect(() => plannedTests(project, bare, [])).toThrow('image bare names no tests');
  });

  it('get their arguments filled in once', async () => {
    const { image: box } = await image('box');
    expect(capabilityNames(box.capabilities)).toEqual(['container', 'runtime-package-management']);
    const fill = (text: string) => filledArgument(text, box, '/o/{image-name}.raw');
    expect(fill('--image-path={image-path}')).toBe('--image-path=/o/{image-name}.raw');
    expect(fill('{image-name} {capabilities} {other}')).toBe('box container,runtime-package-management {other}');
    expect(fill('{properties}')).toBe('{"a":"{image-name}"}');
  });
});
