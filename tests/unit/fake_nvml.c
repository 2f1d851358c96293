/* A FAKE of libnvidia-ml.so.1, for test_nvml.c alone: four GPUs, each two joined by two
 * NVLinks, the last one also by a switch that only it has. It knows no hardware. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { N = 4 };

struct pci {
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char text[32];
};

static const unsigned buses[N] = {0x17, 0x3b, 0x97, 0xbb};

static unsigned number(const void *device)
{
    return (unsigned)((uintptr_t)device - 1);
}

static int address(unsigned i, struct pci *to)
{
    *to = (struct pci){.bus = buses[i], .id = 0x233010de};
    (void)snprintf(to->text, sizeof(to->text), "00000000:%02X:00.0", buses[i]);
    return 0;
}

int nvmlInit_v2(void)
{
    return 0;
}

int nvmlShutdown(void)
{
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *n)
{
    *n = N + 1; /* the last is lost: it has no handle */
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **to)
{
    *to = (void *)(uintptr_t)(i + 1);
    return i < N ? 0 : 15;
}

int nvmlDeviceGetPciInfo_v3(void *device, struct pci *to)
{
    return address(number(device), to);
}

int nvmlDeviceGetName(void *device, char *to, unsigned room)
{
    (void)snprintf(to, room, "Fake H%u", number(device));
    return 0;
}

int nvmlDeviceGetCpuAffinity(void *device, unsigned n, unsigned long *words)
{
    memset(words, 0, n * sizeof(*words));
    words[0] = number(device) < 2 ? 0x0f : 0xf0;
    return 0;
}

/* Links 0 and 1 go to the neighbour (0-1, 2-3); link 2 of GPUs 1 and 2 to a switch. */
int nvmlDeviceGetNvLinkState(void *device, unsigned link, unsigned *to)
{
    unsigned i = number(device);
    *to = link < 2 || (link == 2 && (i == 1 || i == 2));
    return link < 6 ? 0 : 2;
}

int nvmlDeviceGetNvLinkVersion(void *device, unsigned link, unsigned *to)
{
    (void)device;
    (void)link;
    *to = 4;
    return 0;
}

int nvmlDeviceGetNvLinkRemoteDeviceType(void *device, unsigned link, unsigned *to)
{
    (void)device;
    *to = link == 2 ? 2 : 0;
    return 0;
}

int nvmlDeviceGetNvLinkRemotePciInfo_v2(void *device, unsigned link, struct pci *to)
{
    (void)link;
    return address(number(device) ^ 1u, to);
}
