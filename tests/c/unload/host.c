/* A program that has loaded a plugin that contains the library, and unloaded it, can fork: the handlers that the
   library registered with the C library for the child were removed with it. Arguments: the plugin, and a log. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int is_loaded(const char *plugin) {
  char line[4096];
  int there = 0;
  FILE *maps = fopen("/proc/self/maps", "r");
  if (maps == NULL) return 0;
  while (fgets(line, sizeof line, maps) != NULL) there |= strstr(line, plugin) != NULL;
  fclose(maps);
  return there;
}

int main(int argc, char **argv) {
  int (*use)(const char *) = NULL;
  void *plugin = argc == 3 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  if (plugin == NULL) return 1;
  *(void **)&use = dlsym(plugin, "use");
  if (use == NULL || use(argv[2]) != 0) return 2;
  if (!is_loaded(argv[1]) || dlclose(plugin) != 0 || is_loaded(argv[1])) return 3;
  const pid_t child = fork();
  if (child == 0) _exit(0);
  int status = 0;
  return waitpid(child, &status, 0) == child && status == 0 ? 0 : 4;
}
