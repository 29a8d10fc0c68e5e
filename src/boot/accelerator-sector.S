# Boot sector of the probe guest by which src/boot/accelerator.ts tests KVM. It enters long mode, touches fresh memory, runs a
# BMI2 instruction if the processor supports it, and quits QEMU through isa-debug-exit (0x10 -> exit code 33). All of this is
# needed: on hosts with broken nesting, /dev/kvm opens and real mode works, but the first VEX-coded instruction is a "KVM
# internal error". Build with:
#   as --64 -o s.o accelerator-sector.S && ld -Ttext 0x7c00 --oformat binary -o s.bin s.o
.code16
.globl _start
_start:
  cli
  xor %ax,%ax
  mov %ax,%ds
  mov %ax,%ss
  mov $0x7c00,%sp
  mov $0x2401,%ax
  int $0x15
  # Page tables: 128 MiB as they are, in pages of 2 MiB (PML4 at 0x9000, PDPT 0xa000, PD 0xb000).
  cld
  mov $0x900,%ax
  mov %ax,%es
  xor %di,%di
  xor %ax,%ax
  mov $0x1800,%cx
  rep stosw
  movl $0xa003,0x9000
  movl $0xb003,0xa000
  mov $0xb000,%di
  mov $0x83,%eax
  mov $64,%cx
1: mov %eax,(%di)
  add $0x200000,%eax
  add $8,%di
  loop 1b
  lgdt gdtr
  mov %cr4,%eax
  or $0x20,%eax
  mov %eax,%cr4
  mov $0x9000,%eax
  mov %eax,%cr3
  mov $0xc0000080,%ecx
  rdmsr
  or $0x100,%eax
  wrmsr
  mov %cr0,%eax
  or $0x80000001,%eax
  mov %eax,%cr0
  ljmp $8,$long
.code64
long:
  mov $16,%eax
  mov %eax,%ds
  mov %eax,%es
  mov %eax,%ss
  mov $0x7c00,%esp
  # 4 MiB of fresh memory from 2 MiB on.
  mov $0x200000,%edi
  mov $0x100000,%ecx
  mov $0x5a5a5a5a,%eax
  rep stosl
  # BMI2: shlx %edx,%r9d,%r9d, a million times, each result stored.
  mov $7,%eax
  xor %ecx,%ecx
  cpuid
  test $0x100,%ebx
  jz 2f
  mov $0x100000,%esi
  mov $3,%edx
3: .byte 0xc4,0x42,0x69,0xf7,0xc9
  mov %r9d,0x300000(,%rsi,4)
  dec %esi
  jnz 3b
2:
  mov $0x10,%al
  out %al,$0xf4
4: hlt
  jmp 4b
.align 8
gdt: .quad 0
  .quad 0x00209a0000000000
  .quad 0x0000920000000000
gdtr: .word 23
  .long gdt
.org 510
.word 0xaa55
