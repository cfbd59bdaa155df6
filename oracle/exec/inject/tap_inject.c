/* libfragoracle_tap.so: reads the captures of kernels that fragoracle tap rewrote out of any running process. The
 * driver loads it into a process whose environment names it in CUDA_INJECTION64_PATH.
 *
 * It sees launches through the callbacks of CUPTI. Where the module of a kernel holds fragoracle_tap_head and
 * fragoracle_tap_data, the data are zeroed ahead of the launch and read after it, which waits for the kernel. Launches
 * of other kernels cost a look-up. Whatever goes wrong is one line on stderr; the process goes on as if nothing was.
 *
 *     FRAGORACLE_TAP_OUT       folder for the captures, launchN each; default fragoracle_tap
 *     FRAGORACLE_TAP_LAUNCHES  first:count of the launches that recorded something, counted from 0; default 0:1
 *     FRAGORACLE_TAP_KERNEL    only kernels whose (mangled) name contains this
 *     FRAGORACLE_CUPTI         the CUPTI library to load; default the usual names
 *
 * source: CUPTI documentation, "CUPTI Callback API"; cuda.h. */
#include "oracle/exec/inject/inject.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oracle/exec/inject/driver.h"
#include "oracle/io/file.h"

enum { LINE_SIZE = 1400 };

/* A launch, as its parameters say. */
struct launch {
    CUfunction kernel;
    CUstream stream;
    uint32_t grid[3], block[3];
};

static struct {
    uint64_t first, count;
    char out[PATH_MAX - 64], kernel[256];
} option;
static struct driver driver;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER; /* held from before a tapped launch until it is read */
static uint64_t launches, silent;                        /* that recorded something, and not; under `turn` */
static atomic_bool done;                                 /* the last launch that was asked for is over */
static _Thread_local bool inside;                        /* calls by this library are no launches of the process */
static _Thread_local struct {
    bool active;
    struct launch launch;
    struct driver_target target;
} pending;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    char line[LINE_SIZE];
    va_list ap;
    va_start(ap, format);
    vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = '?';
    fprintf(stderr, "fragoracle: %s\n", line);
}

static void say_error(const struct error *e)
{
    char line[LINE_SIZE];
    say("%s", error_line(e, line, sizeof line));
}

/* ---- the launch ------------------------------------------------------------------------------------------------- */

static bool read_parameters(CUpti_CallbackId id, const void *parameters, struct launch *out)
{
    switch (id) {
    case CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel:
    case CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel_ptsz: {
        const cuLaunchKernel_params *p = parameters;
        *out = (struct launch){
            p->f, p->hStream, {p->gridDimX, p->gridDimY, p->gridDimZ}, {p->blockDimX, p->blockDimY, p->blockDimZ}};
        return true;
    }
    case CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel:
    case CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel_ptsz: {
        const cuLaunchCooperativeKernel_params *p = parameters;
        *out = (struct launch){
            p->f, p->hStream, {p->gridDimX, p->gridDimY, p->gridDimZ}, {p->blockDimX, p->blockDimY, p->blockDimZ}};
        return true;
    }
    case CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx:
    case CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx_ptsz: {
        const cuLaunchKernelEx_params *p = parameters;
        const CUlaunchConfig *c = p->config;
        if (!c)
            return false;
        *out = (struct launch){
            p->f, c->hStream, {c->gridDimX, c->gridDimY, c->gridDimZ}, {c->blockDimX, c->blockDimY, c->blockDimZ}};
        return true;
    }
    default:
        return false;
    }
}

/* Leaves `turn` locked where pending.active becomes true. */
static void before_launch(CUpti_CallbackId id, const CUpti_CallbackData *call)
{
    struct launch launch;
    struct driver_target target;
    const char *name = call->symbolName ? call->symbolName : "";
    pending.active = false;
    if (atomic_load(&done) || !strstr(name, option.kernel) || !call->functionParams ||
        !read_parameters(id, call->functionParams, &launch) || !driver_find_target(&driver, launch.kernel, &target))
        return;
    if (driver_is_capturing(&driver, launch.stream)) {
        say("%.200s: launched into a graph, which cannot be read; launch it without", name);
        return;
    }
    pthread_mutex_lock(&turn);
    char text[32];
    CUresult r = atomic_load(&done) ? CUDA_SUCCESS : driver_clear(&driver, &target);
    if (!atomic_load(&done) && r == CUDA_SUCCESS) {
        pending.active = true;
        pending.launch = launch;
        pending.target = target;
        return;
    }
    if (r != CUDA_SUCCESS)
        say("%.200s: setting its capture to zero: %s", name, driver_error(&driver, r, text));
    pthread_mutex_unlock(&turn);
}

/* OUT/launchN, or OUT/launchN.PID where another process was first. */
static enum status make_folder(uint64_t number, char path[PATH_MAX], struct error *e)
{
    enum status s = file_make_folder(option.out, e);
    if (s != STATUS_OK)
        return s;
    snprintf(path, PATH_MAX, "%s/launch%" PRIu64, option.out, number);
    if (mkdir(path, 0777) == 0)
        return STATUS_OK;
    if (errno == EEXIST) {
        snprintf(path, PATH_MAX, "%s/launch%" PRIu64 ".%ld", option.out, number, (long)getpid());
        if (mkdir(path, 0777) == 0)
            return STATUS_OK;
    }
    error_set(e, STATUS_IO, "%s", strerror(errno));
    return error_at_path(e, path), STATUS_IO;
}

static bool recorded(const struct tap_image *image)
{
    size_t counters = (size_t)image->filter.blocks * image->filter.warpgroups * FO_CAPTURE_THREADS;
    for (uint32_t i = 0; i < image->stream_count; i++)
        for (size_t c = 0; c < counters; c++)
            if (image->stream[i].counter[c])
                return true;
    return false;
}

static enum status write_launch(const char *name, uint64_t number, struct tap_image *image, struct error *e)
{
    char path[PATH_MAX];
    snprintf(image->launch.kernel, sizeof image->launch.kernel, "%s", name);
    image->launch.launch = number;
    memcpy(image->launch.grid, pending.launch.grid, sizeof image->launch.grid);
    memcpy(image->launch.block, pending.launch.block, sizeof image->launch.block);
    driver_describe(&driver, &image->launch);
    enum status s = make_folder(number, path, e);
    if (s == STATUS_OK)
        s = tap_image_write(path, image, e);
    if (s == STATUS_OK)
        say("launch %" PRIu64 " of %.200s: %u streams in %s", number, name, image->stream_count, path);
    return s;
}

/* A module that was rewritten also holds kernels without wgmma, and launches whose blocks the filter leaves out: those
 * record nothing and are not counted. */
static enum status read_launch(const char *name, struct error *e)
{
    char what[400];
    struct tap_image image = {0};
    snprintf(what, sizeof what, "a launch of %.200s", name);
    enum status s = driver_read(&driver, &pending.target, what, &image, e);
    if (s != STATUS_OK)
        return s;
    if (recorded(&image)) {
        uint64_t number = launches++;
        if (number >= option.first && number - option.first + 1 >= option.count)
            atomic_store(&done, true);
        if (number >= option.first && number - option.first < option.count)
            s = write_launch(name, number, &image, e);
    } else
        silent++;
    tap_image_free(&image);
    return s;
}

/* Unlocks `turn`. */
static void after_launch(const CUpti_CallbackData *call)
{
    char text[32];
    const char *name = call->symbolName ? call->symbolName : "";
    const CUresult *launched = call->functionReturnValue;
    struct error e;
    if (launched && *launched != CUDA_SUCCESS)
        say("a launch of %.200s: not read, the launch failed: %s", name, driver_error(&driver, *launched, text));
    else if (read_launch(name, &e) != STATUS_OK)
        say_error(&e);
    pending.active = false;
    pthread_mutex_unlock(&turn);
}

/* A capture that is not there is said to be missing. */
__attribute__((destructor)) static void at_end(void)
{
    if (silent && launches <= option.first)
        say("%" PRIu64 " launches of rewritten modules recorded something, %" PRIu64
            " nothing; captures were asked for from number %" PRIu64 " on: widen the filter of the tap",
            launches, silent, option.first);
}

static void CUPTIAPI on_launch(void *unused, CUpti_CallbackDomain domain, CUpti_CallbackId id, const void *data)
{
    (void)unused;
    const CUpti_CallbackData *call = data;
    if (inside || domain != CUPTI_CB_DOMAIN_DRIVER_API || !call)
        return;
    inside = true;
    int saved = errno;
    if (call->callbackSite == CUPTI_API_ENTER && !pending.active)
        before_launch(id, call);
    else if (call->callbackSite == CUPTI_API_EXIT && pending.active)
        after_launch(call);
    errno = saved;
    inside = false;
}

/* ---- the beginning ---------------------------------------------------------------------------------------------- */

static bool read_number(const char **text, uint64_t *out)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    *out = strtoull(*text, &end, 10);
    *text = end;
    return errno == 0;
}

static bool read_options(void)
{
    const char *launches_text = getenv("FRAGORACLE_TAP_LAUNCHES"), *out = getenv("FRAGORACLE_TAP_OUT");
    const char *kernel = getenv("FRAGORACLE_TAP_KERNEL"), *at = launches_text ? launches_text : "0:1";
    if (!read_number(&at, &option.first) || *at++ != ':' || !read_number(&at, &option.count) || *at ||
        option.count == 0) {
        say("FRAGORACLE_TAP_LAUNCHES is \"%.100s\"; write first:count, as 0:1", launches_text);
        return false;
    }
    if (snprintf(option.out, sizeof option.out, "%s", out && *out ? out : "fragoracle_tap") >= (int)sizeof option.out ||
        snprintf(option.kernel, sizeof option.kernel, "%s", kernel ? kernel : "") >= (int)sizeof option.kernel) {
        say("FRAGORACLE_TAP_OUT or FRAGORACLE_TAP_KERNEL is too long");
        return false;
    }
    return true;
}

static void *open_cupti(void)
{
    static const char *const usual[] = {"libcupti.so.13", "libcupti.so.12", "libcupti.so",
                                        "/usr/local/cuda/lib64/libcupti.so",
                                        "/usr/local/cuda/extras/CUPTI/lib64/libcupti.so"};
    const char *chosen = getenv("FRAGORACLE_CUPTI");
    void *library = NULL;
    if (chosen && *chosen) {
        library = dlopen(chosen, RTLD_NOW | RTLD_LOCAL);
        if (!library)
            say("FRAGORACLE_CUPTI: %s", dlerror());
        return library;
    }
    for (size_t i = 0; !library && i < sizeof usual / sizeof *usual; i++)
        library = dlopen(usual[i], RTLD_NOW | RTLD_LOCAL);
    if (!library)
        say("no CUPTI (libcupti.so.13, .12) was found: name it in FRAGORACLE_CUPTI, or its folder in LD_LIBRARY_PATH");
    return library;
}

static bool subscribe(void *cupti)
{
    static const CUpti_CallbackId ids[] = {
        CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel,
        CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel_ptsz,
        CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx,
        CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx_ptsz,
        CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel,
        CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel_ptsz,
    };
    CUptiResult (*subscribe_to)(CUpti_SubscriberHandle *, CUpti_CallbackFunc, void *);
    CUptiResult (*enable)(uint32_t, CUpti_SubscriberHandle, CUpti_CallbackDomain, CUpti_CallbackId);
    void *found[2] = {dlsym(cupti, "cuptiSubscribe"), dlsym(cupti, "cuptiEnableCallback")};
    CUpti_SubscriberHandle subscriber;
    if (!found[0] || !found[1]) {
        say("the CUPTI library has no cuptiSubscribe or no cuptiEnableCallback");
        return false;
    }
    memcpy(&subscribe_to, &found[0], sizeof subscribe_to);
    memcpy(&enable, &found[1], sizeof enable);
    CUptiResult r = subscribe_to(&subscriber, on_launch, NULL);
    for (size_t i = 0; r == CUPTI_SUCCESS && i < sizeof ids / sizeof *ids; i++)
        r = enable(1, subscriber, CUPTI_CB_DOMAIN_DRIVER_API, ids[i]);
    if (r != CUPTI_SUCCESS)
        say("CUPTI refused (error %d): is another profiler in this process?", (int)r);
    return r == CUPTI_SUCCESS;
}

__attribute__((visibility("default"))) int InitializeInjection(void)
{
    static atomic_bool called;
    struct error e;
    void *cupti;
    if (atomic_exchange(&called, true) || !read_options())
        return 1;
    if (driver_find(&driver, &e) != STATUS_OK)
        say_error(&e);
    else if ((cupti = open_cupti()) != NULL)
        subscribe(cupti);
    return 1;
}
